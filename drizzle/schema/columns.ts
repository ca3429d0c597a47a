import { customType, numeric, timestamp } from 'drizzle-orm/pg-core'

/** Exact decimal quantity in the resource's own unit; never a float. */
export const quantity = (name: string) => numeric(name)

/** An instant. The database stores microseconds; the service stamps milliseconds (`fn_now`). */
export const instant = (name: string) => timestamp(name, { withTimezone: true, mode: 'string' })

export const bytea = customType<{ data: string }>({ dataType: () => 'bytea' })

/** Text that sorts by bytes, so that the order of locks is the same under every locale. */
export const textC = customType<{ data: string }>({ dataType: () => 'text COLLATE "C"' })

export const interval = customType<{ data: string }>({ dataType: () => 'interval' })

/** A composite type of the migrations; only SQL functions read and write it. */
export const composite = (type: string) => customType<{ data: string }>({ dataType: () => type })
