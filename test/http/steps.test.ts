import { assert, describe, it } from "@effect/vitest"
import { stepsOf, turnsOf } from "../../src/http/dashboard/steps.ts"
import type { TranscriptEntry, TranscriptEvent } from "../../src/journal/Transcripts.ts"

const transcript = (
  ...events: ReadonlyArray<readonly [number, TranscriptEvent]>
): ReadonlyArray<TranscriptEntry> =>
  events.map(([turn, event], seq) => ({ seq, at: seq * 1000, turn, event }))

const said = (text: string): TranscriptEvent => ({ _tag: "Message", text })
const call = (id: string): TranscriptEvent => ({
  _tag: "ToolCall",
  id,
  title: `run ${id}`,
  status: "pending"
})
const update = (id: string, status: string, text = ""): TranscriptEvent => ({
  _tag: "ToolUpdate",
  id,
  status,
  text
})

describe("steps", () => {
  it("join a call with its updates: how long it took and how it ended", () => {
    const steps = stepsOf(
      transcript(
        [1, call("a")],
        [1, call("b")],
        [1, update("a", "failed", "boom")],
        [1, update("b", "completed")]
      )
    )
    assert.deepStrictEqual(
      steps.map(({ endedAt, failed, outcome, startedAt, title }) => [
        title,
        outcome,
        failed,
        endedAt - startedAt
      ]),
      [
        ["run a", "failed", true, 2000],
        ["run b", "completed", false, 2000]
      ]
    )
    assert.strictEqual(steps[0]?.detail, "boom")
  })

  it("join what is said in one breath, within one turn", () => {
    const steps = stepsOf(transcript([1, said("half ")], [1, said("a sentence")], [2, said("next")]))
    assert.deepStrictEqual(
      steps.map(({ title, turn }) => [turn, title]),
      [
        [1, "half a sentence"],
        [2, "next"]
      ]
    )
  })

  it("keep an update whose call is on an earlier page", () => {
    assert.deepInclude(stepsOf(transcript([1, update("z", "completed", "done")]))[0], {
      outcome: "completed",
      detail: "done"
    })
  })
})

describe("a failure", () => {
  const failed = (event: TranscriptEvent) => stepsOf(transcript([1, event]))[0]?.failed

  it("is what a stage says has failed, and a call that did", () => {
    const ended = {
      _tag: "Stage",
      name: "ended",
      detail: "failed: stall_timeout: silent",
      failed: true
    } as const
    assert.deepStrictEqual([ended, update("a", "failed")].map(failed), [true, true])
  })

  it("is not that a run ended well, nor what we tell of its transcript", () => {
    const ended = { _tag: "Stage", name: "ended", detail: "completed: moved to Done", failed: false } as const
    assert.deepStrictEqual(
      [ended, { _tag: "Notice", text: "12 updates were dropped" } as const].map(failed),
      [false, false]
    )
  })
})

describe("turns", () => {
  it("say in one line what each came to", () => {
    const turns = turnsOf(
      transcript([1, said("look")], [1, call("a")], [1, update("a", "failed")], [2, said("all is well")])
    )
    assert.deepStrictEqual(
      turns.map(({ calls, failures, last, turn }) => [turn, calls, failures, last]),
      [
        [1, 1, 1, "run a"],
        [2, 0, 0, "all is well"]
      ]
    )
  })

  const stage = (name: string, detail = "", failed = false): TranscriptEvent => ({
    _tag: "Stage",
    name,
    detail,
    failed
  })

  it("came to what the agent did, and not to the stages around it", () => {
    const turns = turnsOf(
      transcript(
        [0, stage("workspace")],
        [0, stage("session", "demo")],
        [1, said("all is well")],
        [1, stage("ended", "completed: moved to Done")]
      )
    )
    assert.deepStrictEqual(
      turns.map(({ failed, last }) => [last, failed]),
      [
        ["session: demo", false],
        ["all is well", false]
      ]
    )
  })

  it("came to the failure that ended the run, which is no failed call", () => {
    const [turn] = turnsOf(
      transcript(
        [1, said("hm")],
        [1, { _tag: "Notice", text: "dropped" }],
        [1, stage("ended", "failed: x", true)]
      )
    )
    assert.deepInclude(turn, { last: "ended: failed: x", failed: true, calls: 0, failures: 0 })
  })
})
