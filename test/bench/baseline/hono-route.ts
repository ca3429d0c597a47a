import { Hono } from 'hono'

/** What the route answers: a decision of the real Worker's, put here before. */
let answer = ''

const app = new Hono()

app.put('/v1/check', async (c) => {
  answer = await c.req.text()
  return c.body(null, 204)
})

/** The least that a Worker can do with a check: parse it, and answer. */
app.post('/v1/check', async (c) => {
  await c.req.json()
  return c.body(answer, 200, { 'content-type': 'application/json' })
})

export default app
