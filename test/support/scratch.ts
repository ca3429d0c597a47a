import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { inject } from 'vitest'

/**
 * Runs work on an empty database of its own, on the same cluster, and drops it afterwards.
 * @param work gets the owner's connection string.
 */
export async function withScratchDatabase<Result>(
  work: (connectionString: string) => Promise<Result>,
): Promise<Result> {
  const name = `scratch_${randomUUID().replaceAll('-', '')}`
  const admin = new pg.Client({ connectionString: inject('ownerUrl') })
  await admin.connect()
  try {
    await admin.query(`CREATE DATABASE ${name}`)
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
