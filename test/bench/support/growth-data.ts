import { readFile } from 'node:fs/promises'
import { migrate } from '../../../database/migrate.ts'
import type { Cloud } from './cloud.ts'

export type Size = { entries: number; accounts: number }

/** Makes a database of the cluster with that many entries in each of three accounts, and that many accounts. */
export async function createDatabase(cloud: Cloud, name: string, size: Size): Promise<void> {
  await cloud.sql(`CREATE DATABASE ${name}`)
  await migrate({ connectionString: cloud.ownerUrl(name) })
  await fillDatabase(cloud, name, size)
}

/** As createDatabase, for one that is there. */
export async function fillDatabase(cloud: Cloud, name: string, size: Size): Promise<void> {
  const script = await readFile(new URL('growth-data.sql', import.meta.url), 'utf8')
  await cloud.sql(
    script.replaceAll(/\$(entries|accounts)\b/g, (_, of: keyof Size) => String(size[of])),
    name,
  )
  await cloud.sql('VACUUM ANALYZE', name)
}
