import { Ratelimit } from '@upstash/ratelimit'
import { Redis } from '@upstash/redis/cloudflare'

interface Bindings {
  readonly UPSTASH_REDIS_REST_URL: string
  readonly UPSTASH_REDIS_REST_TOKEN: string
}

let ratelimit: Ratelimit | undefined

/** The peer: a limit a month, by the cheapest of its algorithms. The body names who is limited. */
export default {
  async fetch(request: Request, { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token }: Bindings) {
    ratelimit ??= new Ratelimit({
      redis: new Redis({ url, token }),
      limiter: Ratelimit.fixedWindow(1_000_000_000, '30 d'),
    })
    const { success, remaining } = await ratelimit.limit(await request.text())
    return Response.json({ success, remaining })
  },
}
