import { fileURLToPath } from 'node:url'
import { cloudflareTest } from '@cloudflare/vitest-plugin'
import type { TestProjectConfiguration } from 'vitest/config'
import type { EdgeStores } from './edge-stores.ts'

const configPath = fileURLToPath(new URL('../../wrangler.toml', import.meta.url))

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
            JWT_SECRET: stores.jwtSecret,
            KEY_PEPPER: stores.keyPepper,
            MEC_DEV_KEY: stores.devKey,
          },
          // Straight to the local servers, so that a connection that they cut is cut; and nowhere else.
          outboundService: { network: { allow: ['local'], deny: [] } },
        },
      }
    }),
  ],
  test: {
    name: 'edge',
    include: ['test/edge/**/*.test.ts'],
    globalSetup: 'test/support/edge.setup.ts',
    // They share counters and faults.
    maxWorkers: 1,
    sequence: { groupOrder: 1 },
  },
}
