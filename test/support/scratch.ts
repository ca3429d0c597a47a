import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { inject } from 'vitest'

/**
 * Runs work on a database of its own, on the same cluster, and drops it afterwards.
 * @param work gets the owner's connection string.
 * @param template the connection string of the database to copy, to which nobody is connected; without one it is empty.
 */
export async function withScratchDatabase<Result>(
  work: (connectionString: string) => Promise<Result>,
  template?: string,
): Promise<Result> {
  const name = `scratch_${randomUUID().replaceAll('-', '')}`
  const admin = new pg.Client({ connectionString: inject('ownerUrl') })
  await admin.connect()
  try {
    const copied = template === undefined ? '' : ` TEMPLATE ${new URL(template).pathname.slice(1)}`
    await admin.query(`CREATE DATABASE ${name}${copied}`)
    const url = new URL(inject('ownerUrl'))
    url.pathname = `/${name}`
    try {
      return await work(url.href)
    } finally {
      await admin.query(`DROP DATABASE ${name} WITH (FORCE)`)
    }
  } finally {
    await admin.end()
  }
}

/** A client on a connection string, ended afterwards. */
export async function withClient<Result>(
  connectionString: string,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
