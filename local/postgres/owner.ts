import { Client } from 'pg'

/**
 * Creates the role `mec` and its database `mec` unless they exist. The role gets what a Neon owner has and migrations
 * need (it may create roles and databases, and trusted extensions in its own database), but is no superuser.
 */
export async function ensureOwner({ port, password }: { port: number; password: string }): Promise<void> {
  const client = new Client({ host: '127.0.0.1', port, user: 'postgres', password, database: 'postgres' })
  await client.connect()
  try {
    const { rows } = await client.query<{ role: boolean; database: boolean }>(
      `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'mec') AS role,
              EXISTS (SELECT FROM pg_database WHERE datname = 'mec') AS database`,
    )
    if (rows[0]?.role !== true) {
      await client.query(`CREATE ROLE mec LOGIN CREATEDB CREATEROLE PASSWORD ${client.escapeLiteral(password)}`)
    }
    if (rows[0]?.database !== true) await client.query('CREATE DATABASE mec OWNER mec')
  } finally {
    await client.end()
  }
}
