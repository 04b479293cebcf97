import { assert, it } from "@effect/vitest"
import { Effect, Redacted, type Scope } from "effect"
import type { Credentials } from "../../src/agent/Credentials.ts"
import { testWorkflow } from "../support/workflow.ts"

/** What the operator has for `claude`. */
export interface Possessions {
  /** The text of the file that it keeps its sign-in in. */
  readonly signIn?: string
  /** A key that is listed in `sandbox.forward_env`. */
  readonly key?: string
}

export type Bench = (possessions: Possessions) => Effect.Effect<Credentials["Service"], unknown, Scope.Scope>

const workflow = testWorkflow({ config: { acp: { adapter: "claude" } } })

/** What every `Credentials` keeps. */
export const credentialsContract = (bench: Bench) => {
  it.effect("gives the file of a sign-in, for its place in the guest's HOME", () =>
    Effect.gen(function* () {
      const credentials = yield* bench({ signIn: "s3cret" })
      const guest = yield* credentials.forRun(workflow, "claude")
      assert.deepStrictEqual(
        guest.homeFiles.map(({ content, path }) => [path, Redacted.value(content)]),
        [[".claude/.credentials.json", "s3cret"]]
      )
      assert.deepStrictEqual([guest.env, guest.upstream], [{}, null])
    })
  )

  it.effect("gives a key, and then no file", () =>
    Effect.gen(function* () {
      const credentials = yield* bench({ key: "s3cret" })
      const { env, homeFiles } = yield* credentials.forRun(workflow, "claude")
      const key = env["ANTHROPIC_API_KEY"]
      assert.strictEqual(Redacted.isRedacted(key) && Redacted.value(key), "s3cret")
      assert.deepStrictEqual(homeFiles, [])
    })
  )

  it.effect("shows no secret to who prints what it gives", () =>
    Effect.gen(function* () {
      for (const possessions of [{ signIn: "s3cret" }, { key: "s3cret" }]) {
        const guest = yield* (yield* bench(possessions)).forRun(workflow, "claude")
        assert.notInclude(JSON.stringify(guest) + String(guest.homeFiles[0]?.content), "s3cret")
      }
    })
  )

  it.effect("fails for who has nothing, naming the adapter and what to do", () =>
    Effect.gen(function* () {
      const credentials = yield* bench({})
      const error = yield* Effect.flip(credentials.forRun(workflow, "claude"))
      assert.deepStrictEqual([error._tag, error.adapter], ["CredentialMissing", "claude"])
      assert.match(error.message, /^adapter claude: .+ - .+/)
    })
  )

  it.effect("needs nothing for the scripted agent", () =>
    Effect.gen(function* () {
      const guest = yield* (yield* bench({})).forRun(testWorkflow(), "demo")
      assert.deepStrictEqual([guest.env, guest.homeFiles, guest.upstream], [{}, [], null])
    })
  )
}
