import { neon, neonConfig } from '@neondatabase/serverless'
import { sql as drizzleSql, eq } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/neon-http'
import { integer, jsonb, numeric, pgTable, text, timestamp } from 'drizzle-orm/pg-core'
import { beforeAll, describe, expect, test } from 'vitest'
import { rejection, startDatabase } from './setup.ts'

// A file of its own: drizzle() replaces the driver's parsers of dates for the whole process.
const { postgres, proxy } = await startDatabase()
neonConfig.fetchEndpoint = proxy.url
const sql = neon(postgres.url)

describe("drizzle's neon-http", () => {
  const things = pgTable('things', {
    id: integer().primaryKey(),
    name: text(),
    amount: numeric({ precision: 20, scale: 6 }),
    tags: text().array(),
    detail: jsonb(),
    at: timestamp({ withTimezone: true }),
  })
  const db = drizzle({ client: sql })
  const thing = {
    id: 1,
    name: null,
    amount: '12.500000',
    tags: ['a', 'b,c'],
    detail: { deep: [true] },
    at: new Date('2026-01-02T03:04:05.678Z'),
  }

  beforeAll(async () => {
    await sql`CREATE TABLE things (id int PRIMARY KEY, name text, amount numeric(20,6), tags text[], detail jsonb, at timestamptz)`
  })

  test('inserts, selects, and executes', async () => {
    expect(await db.insert(things).values(thing).returning()).toEqual([thing])
    expect(await db.select().from(things).where(eq(things.id, 1))).toEqual([thing])
    expect((await db.execute(drizzleSql`SELECT ${1}::int AS one`)).rows).toEqual([{ one: 1 }])
  })

  test('batch is one request and one transaction', async () => {
    proxy.stats.reset()
    const [inserted, all] = await db.batch([
      db.insert(things).values({ id: 2 }).returning({ id: things.id }),
      db.select({ id: things.id }).from(things).orderBy(things.id),
    ])
    expect(inserted).toEqual([{ id: 2 }])
    expect(all).toEqual([{ id: 1 }, { id: 2 }])
    expect(proxy.stats.snapshot()).toEqual({ requests: 1, queries: 2 })

    await rejection(db.batch([db.insert(things).values({ id: 3 }), db.insert(things).values({ id: 3 })]))
    expect(await db.$count(things)).toBe(2)
  })
})
