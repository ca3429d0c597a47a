import { mkdtemp, readdir, stat, writeFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { readLiveRun, takeRunFile } from '../../local/dev/run-file.ts'
import { temporaryFolder } from './setup.ts'

const root = await temporaryFolder()
const newFolder = () => mkdtemp(`${root}/`)

const stores = { databaseUrl: 'postgres://x', redisPort: 1, devKeyHash: 'x' }

/** What a run that was killed leaves: our own pid is surely alive, but began at another time. */
const stale = JSON.stringify({ pid: process.pid, startTime: 'long ago', workerGroup: 77, stores })

describe('the lock on a data folder', () => {
  test('one holder, who can be asked about; then none', async () => {
    const folder = await newFolder()
    const path = `${folder}/run.json`
    expect(await readLiveRun(path)).toBeUndefined()
    const held = await takeRunFile(path)
    await expect(takeRunFile(path)).rejects.toThrow(`another MEC is running on ${path} (process ${process.pid})`)
    await held.update({ stores })
    await held.update({ workerGroup: 5 })
    expect(await readLiveRun(path)).toMatchObject({ pid: process.pid, stores, workerGroup: 5 })
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    await held.release()
    expect(await readLiveRun(path)).toBeUndefined()
    expect(await readdir(folder)).toEqual([])
  })

  test('what a killed run left is taken over, and told', async () => {
    const folder = await newFolder()
    const path = `${folder}/run.json`
    await writeFile(path, stale)
    expect(await readLiveRun(path)).toBeUndefined()
    const held = await takeRunFile(path)
    expect(held.leftBehind).toMatchObject({ workerGroup: 77 })
    expect(await readdir(folder)).toEqual(['run.json'])
    await held.release()
  })

  test.each(['', '{', '{"pid":1}', '[]'])('a file of rubbish is taken over: %s', async (text) => {
    const path = `${await newFolder()}/run.json`
    await writeFile(path, text)
    const held = await takeRunFile(path)
    expect(held.leftBehind).toBeUndefined()
    await held.release()
  })
})
