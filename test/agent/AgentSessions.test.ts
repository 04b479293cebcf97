import { describe } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { AgentError, type AgentSessions } from "../../src/agent/AgentSessions.ts"
import { layer as memoryLayer } from "../../src/agent/MemoryAgentSessions.ts"
import { Sandboxes } from "../../src/sandbox/Sandboxes.ts"
import { agentSessionsContract, type Overrides } from "./AgentSessions.contract.ts"
import { makeProject, realAgents } from "./demo.ts"
import { makePeer, optionsFor } from "./peer.ts"

describe("real agents over ACP", () => {
  agentSessionsContract<Sandboxes | Layer.Success<typeof realAgents>>({
    provide: (effect) => effect.pipe(Effect.scoped, Effect.provide(realAgents)),
    options: (overrides) => Effect.flatMap(makeProject, (project) => project.options(overrides))
  })
})

describe("agents in memory", () => {
  const scripted: Layer.Layer<AgentSessions> = memoryLayer({
    prompt: Effect.fnUntraced(function* ({ text, emit, cancelled }) {
      const tokens = { input: 1, output: 1, total: 2, source: "scripted" } as const
      for (const [, name, rest = ""] of text.matchAll(/^(say|fail|fail-once|sleep) (.*)$/gm)) {
        if (name === "say") yield* emit({ _tag: "Message", text: rest })
        else if (name === "sleep") {
          yield* cancelled
          return { stopReason: "cancelled", tokens } as const
        } else return yield* new AgentError({ reason: "system", detail: rest, resetAt: null })
      }
      return { stopReason: "end_turn", tokens } as const
    })
  })

  agentSessionsContract<never>({
    provide: (effect) => effect.pipe(Effect.scoped, Effect.provide(scripted)),
    options: (overrides: Overrides = {}) =>
      Effect.map(makePeer, (peer) =>
        optionsFor(peer.sandbox, { ...overrides, resume: overrides.resume ?? null })
      )
  })
})
