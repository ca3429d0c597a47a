import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Report } from './report.ts'
import type { Result } from './row.ts'
import { type Judged, renderMarkdown } from './table.ts'

const docs = new URL('../../../docs/', import.meta.url)

/** Writes docs/BENCHMARKS.md and its plots. */
export async function writeDocument(
  machine: string,
  results: readonly Result[],
  judged: Judged,
  { sections, plots }: Report,
): Promise<void> {
  const document = `# Benchmarks

Written by \`npm run bench -- --write\` on ${new Date().toISOString().slice(0, 10)}. Do not edit.

Machine: ${machine}.

Each line compares two things that were measured side by side in one run. Wall-clock ratios are medians of 5 rounds, with
the smallest and largest round's; the turns of both sides alternate within a round. Each side is a Worker bundled as
wrangler deploys it, in workerd. A p50 is of requests one at a time: with more of them in flight than there are cores it
would be the length of a queue. Requests/s come over 4 connections; the p50 under that load is reported beside them. Load,
Workers, protocol servers, Redis and Postgres share the machine, and a commit waits for the disk; so what reads or writes
Postgres is judged of a Worker without Redis, and what its writes to Redis, after the answers, take from the same cores is
reported beside it. Growth is judged inside Postgres, by EXPLAIN ANALYZE. How many requests reach the stores is counted at
their protocol servers, exactly.

${renderMarkdown(results, judged)}
${Array.from(sections, ([title, markdown]) => `\n## ${title}\n\n${markdown}\n`).join('')}`
  await writeFile(new URL('BENCHMARKS.md', docs), document)
  for (const [path, svg] of plots) {
    const file = new URL(path, docs)
    await mkdir(dirname(file.pathname), { recursive: true })
    await writeFile(file, svg)
  }
}
