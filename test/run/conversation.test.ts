import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { AgentSessionOptions } from "../../src/agent/AgentSessions.ts"
import { continuationPrompt } from "../../src/workflow/texts.ts"
import { makeHousehold } from "../support/household.ts"
import { inTurn, silent } from "../support/scripts.ts"

describe("an agent's session", () => {
  it("works in the workspace of its issue and nowhere else", () => {
    const opened: Array<AgentSessionOptions> = []
    const workspaces: Array<string> = []
    const house = makeHousehold({
      issues: { "Todo/A.md": {} },
      behaviour: {
        boot: ({ workspace }) => Effect.sync(() => void workspaces.push(workspace)),
        open: (options) =>
          Effect.sync(() => {
            opened.push(options)
            return { resumes: true }
          })
      }
    })
    house.advance("1 second")
    const [recorded] = house
      .journal()
      .flatMap((event) => (event._tag === "WorkspaceReady" ? [event["path"]] : []))
    assert.deepStrictEqual([opened[0]?.cwd, workspaces[0]], [recorded, recorded])
  })

  it("is told how to go on after its first turn, and not its whole task again", () => {
    const house = makeHousehold({
      prompt: "The task: {{ issue.title }}",
      issues: { "Todo/A.md": { title: "Mend it" } },
      behaviour: { prompt: inTurn(silent, silent) }
    })
    house.advance("1 second")
    assert.deepStrictEqual(
      house.world.prompts.map(({ text }) => text),
      ["The task: Mend it", continuationPrompt, continuationPrompt]
    )
  })
})
