import { gzipSync } from 'node:zlib'
import type { Bench, Row } from '../support/row.ts'
import { compare } from '../support/statistics.ts'

const MOST_KIB = 150

async function run({ cloud }: Bench) {
  const kib = gzipSync(await cloud.bundle()).length / 1024
  const labels = { what: 'the deployed Worker, gzipped', against: `${MOST_KIB} KiB`, unit: 'KiB', counted: true }
  return [{ ...labels, goal: { atMost: 1 }, ...compare([[kib, MOST_KIB]]) }]
}

export const bundle: Row = { name: 'bundle', run }
