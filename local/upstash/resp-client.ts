import { connect, type Socket } from 'node:net'
import type { Reply } from './reply.ts'
import { createRespParser } from './resp-parser.ts'

/** A command and its arguments; a Buffer goes through byte by byte. */
export type Command = readonly (string | Buffer)[]

/** Redis cannot be reached, or went away before it answered: then nobody knows whether the commands ran. */
export class RedisDown extends Error {}

export type RespClient = {
  /**
   * Sends commands in one piece, with no other request's in between, and resolves with their replies in order.
   * @throws RedisDown, at the latest after `timeoutMs`
   */
  send(commands: readonly Command[]): Promise<Reply[]>
  end(): void
}

type Pending = {
  replies: Reply[]
  missing: number
  since: number
  resolve(replies: Reply[]): void
  reject(error: Error): void
}

const CHECK_EVERY_MS = 250

/**
 * One connection to Redis on loopback, pipelined: requests do not wait for each other's answers. It connects when it is
 * first needed, and again when it was lost; whatever was under way then fails.
 */
export function createRespClient({ port, timeoutMs }: { port: number; timeoutMs: number }): RespClient {
  let socket: Socket | undefined
  let pending: Pending[] = []
  let answered = 0

  function open(): Socket {
    const opened = connect(port, '127.0.0.1').setNoDelay(true)
    const parse = createRespParser((reply) => {
      const first = pending[answered]
      if (first === undefined) return
      first.replies.push(reply)
      if (--first.missing > 0) return
      answered++
      first.resolve(first.replies)
    })
    opened.on('data', (chunk: Buffer) => {
      try {
        parse(chunk)
      } catch (error) {
        opened.destroy(error instanceof Error ? error : undefined)
      }
      // Dropped once per chunk: shifting them one by one is slow in a long pipeline.
      pending.splice(0, answered)
      answered = 0
    })
    // A frozen Redis keeps its connections open and never answers.
    const watch = setInterval(() => {
      const oldest = pending[0]
      if (oldest !== undefined && performance.now() - oldest.since > timeoutMs) {
        opened.destroy(new Error(`no answer within ${timeoutMs} ms`))
      }
    }, CHECK_EVERY_MS)
    watch.unref()
    let reason = 'connection closed'
    opened.on('error', (error) => {
      reason = error.message
    })
    opened.on('close', () => {
      clearInterval(watch)
      if (socket === opened) socket = undefined
      const lost = pending
      pending = []
      for (const each of lost) each.reject(new RedisDown(`Redis is unreachable: ${reason}`))
    })
    return opened
  }

  return {
    send(commands) {
      return new Promise((resolve, reject) => {
        // Node keeps what is written before the connection stands.
        socket ??= open()
        pending.push({ replies: [], missing: commands.length, since: performance.now(), resolve, reject })
        write(socket, commands)
      })
    },
    end() {
      socket?.destroy()
    },
  }
}

/** Strings go out as one string, which costs least; only binary arguments are copied. */
function write(socket: Socket, commands: readonly Command[]): void {
  let text = ''
  socket.cork()
  for (const command of commands) {
    text += `*${command.length}\r\n`
    for (const argument of command) {
      if (typeof argument === 'string') text += `$${Buffer.byteLength(argument)}\r\n${argument}\r\n`
      else {
        socket.write(`${text}$${argument.length}\r\n`)
        socket.write(argument)
        text = '\r\n'
      }
    }
  }
  socket.write(text)
  socket.uncork()
}
