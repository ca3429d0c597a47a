import { defineConfig } from 'drizzle-kit'

export default defineConfig({
  dialect: 'postgresql',
  schema: ['platform', 'metering', 'entitlements', 'controls'].map((layer) => `./drizzle/schema/${layer}.ts`),
  out: './drizzle/migrations',
})
