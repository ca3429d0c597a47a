import pg from 'pg'
import { Refusal } from './refusal.ts'

const CONNECT_BUDGET_MS = 10_000

/** A client on DATABASE_URL. @throws Refusal */
export async function connected(connectionString: string): Promise<pg.Client> {
  try {
    const client = new pg.Client({ connectionString, connectionTimeoutMillis: CONNECT_BUDGET_MS })
    await client.connect()
    return client
  } catch (error) {
    throw new Refusal(`DATABASE_URL: no connection: ${messageOf(error)}`)
  }
}

function messageOf(error: unknown): string {
  // Of several addresses that all failed, the message is empty.
  if (error instanceof AggregateError) return error.errors.map(messageOf).join(', ')
  return error instanceof Error ? error.message : String(error)
}
