import { Redis } from '@upstash/redis/cloudflare'

interface Bindings {
  readonly UPSTASH_REDIS_REST_URL: string
  readonly UPSTASH_REDIS_REST_TOKEN: string
}

let redis: Redis | undefined

/** The least that a Worker can do with Redis. The body names the key: the one that the check reads. */
export default {
  async fetch(request: Request, { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token }: Bindings) {
    redis ??= new Redis({ url, token })
    return Response.json(await redis.get(await request.text()))
  },
}
