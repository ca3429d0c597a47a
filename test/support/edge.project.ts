import { fileURLToPath } from 'node:url'
import { cloudflareTest } from '@cloudflare/vitest-plugin'
import type { TestProjectConfiguration } from 'vitest/config'
import type { EdgeStores } from './edge-stores.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** How many random requests, and from which seed. */
    random: { requests: number; seed: number }
  }
}

const configPath = fileURLToPath(new URL('../../wrangler.toml', import.meta.url))

/**
 * All that the Worker under test fetches passes here: the local servers may be reached, nothing else. In workerd rather
 * than in Node, so that a connection that a server cuts is one that is cut, not a 500.
 */
const outbound = {
  name: 'outbound',
  compatibilityDate: '2026-11-01',
  modules: true,
  script: `export default {
    fetch(request) {
      const { hostname, href } = new URL(request.url)
      if (hostname !== '127.0.0.1') throw new Error('no way out of the tests to ' + href)
      return fetch(request)
    }
  }`,
}

/** Tests that run in workerd, in the same isolate as the Worker, with real stores behind it. */
export const edgeProject: TestProjectConfiguration = {
  plugins: [
    cloudflareTest(({ inject }) => {
      const stores = inject<EdgeStores>('edge')
      return {
        wrangler: { configPath },
        miniflare: {
          bindings: {
            DATABASE_URL: stores.workerUrl,
            NEON_FETCH_ENDPOINT: stores.neonEndpoint,
            UPSTASH_REDIS_REST_URL: stores.upstashUrl,
            UPSTASH_REDIS_REST_TOKEN: stores.upstashToken,
            JWT_SECRET: stores.jwtSecret,
            JWT_SECRET_PREVIOUS: stores.jwtSecretPrevious,
            KEY_PEPPER: stores.keyPepper,
            LEDGER_SIGNING_KEY: stores.signingKey,
            MEC_DEV_KEY: stores.devKey,
            // Each move of the test clock waits as long.
            MEMORY_MS: '200',
          },
          r2Buckets: ['LEDGER_HEADS'],
          outboundService: 'outbound',
          workers: [outbound],
        },
      }
    }),
  ],
  test: {
    name: 'edge',
    include: ['test/edge/**/*.test.ts'],
    globalSetup: 'test/support/edge.setup.ts',
    // The tests run in workerd, which has another environment.
    provide: {
      random: {
        requests: Number(process.env['MEC_RANDOM_REQUESTS'] ?? 600),
        seed: Number(process.env['MEC_RANDOM_SEED'] ?? 20_261_121),
      },
    },
    // They share counters and faults.
    maxWorkers: 1,
    sequence: { groupOrder: 1 },
  },
}
