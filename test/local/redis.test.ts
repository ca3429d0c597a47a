import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import { expect, test } from 'vitest'
import { startRedis } from '../../local/redis/engine.ts'
import { findServer } from '../../local/redis/server.ts'
import { createRespClient } from '../../local/upstash/resp-client.ts'
import { eventually, rejection, temporaryFolder } from './setup.ts'

const folder = await temporaryFolder()
const server = await findServer()
const why = server === undefined ? ' (skipped: neither redis-server nor valkey-server on the PATH)' : ''

function connects(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host, timeout: 500 })
    const settle = (answer: boolean) => () => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', settle(true)).once('error', settle(false)).once('timeout', settle(false))
  })
}

const engines = [
  { engine: 'embedded', name: 'js-redis-server', skipped: false },
  { engine: 'server', name: server?.name ?? `server${why}`, skipped: server === undefined },
] as const

for (const { engine, name, skipped } of engines) {
  test.skipIf(skipped)(`${name} listens on loopback only, starts empty, and is gone after stop()`, async () => {
    const redis = await startRedis({ engine })
    expect(redis.engineName).toBe(name)
    const client = createRespClient({ port: redis.port, timeoutMs: 2_000 })
    expect(await client.send([['DBSIZE']])).toEqual([0])
    const outside = Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .find(({ family, internal }) => family === 'IPv4' && !internal)
    if (outside !== undefined) expect(await connects(redis.port, outside.address)).toBe(false)
    await redis.stop()
    await redis.stop()
    expect(await connects(redis.port, '127.0.0.1')).toBe(false)
    const again = await startRedis({ engine, port: redis.port })
    expect(again.port).toBe(redis.port)
    await again.stop()
    client.end()
  })
}

test('auto takes the server if there is one', async () => {
  const redis = await startRedis()
  expect(redis.engineName).toBe(server?.name ?? 'js-redis-server')
  await redis.stop()
})

test('server without a binary says so', async () => {
  const path = process.env['PATH']
  process.env['PATH'] = ''
  try {
    expect(String(await rejection(startRedis({ engine: 'server' })))).toContain(
      'neither redis-server nor valkey-server',
    )
  } finally {
    process.env['PATH'] = path
  }
})

test.skipIf(server === undefined)(
  `a SIGKILLed run's server is ended by the next start on its folder${why}`,
  async () => {
    const dataDir = `${folder}/redis`
    const module = new URL('../../local/redis/engine.ts', import.meta.url).href
    const code = `import { startRedis } from '${module}'
    const { port } = await startRedis({ dataDir: '${dataDir}', engine: 'server' })
    console.log(port)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
    const port = Number(String((await once(child.stdout, 'data'))[0]))
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(await connects(port, '127.0.0.1')).toBe(true)
    const next = await startRedis({ dataDir, engine: 'server' })
    await eventually(async () => !(await connects(port, '127.0.0.1')))
    await next.stop()
  },
)
