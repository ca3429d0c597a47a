import type { HeadSigner } from '../core/heads.ts'
import { hmacHex, importHmacKey } from './encoding.ts'

const KEY_ID_LENGTH = 16

/** Signs the heads of chains by HMAC-SHA-256 with this secret. */
export async function createHeadSigner(secret: string): Promise<HeadSigner> {
  const key = await importHmacKey(secret)
  return {
    keyId: (await hmacHex(key, 'mec-head-key')).slice(0, KEY_ID_LENGTH),
    sign: (text) => hmacHex(key, text),
  }
}
