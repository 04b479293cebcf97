import { assert, describe, it } from "@effect/vitest"
import type { Commit } from "../../src/handoff/history.ts"
import { notTheSame } from "../../src/handoff/proof.ts"

const ada = { name: "Ada", email: "ada@example.test", date: "1767315845 +0200" }
const commit: Commit = {
  id: "1".repeat(40),
  tree: "2".repeat(40),
  parents: [],
  author: ada,
  committer: ada,
  message: "Say hello\n"
}

const changed = (change: Partial<Commit>, linear = true) =>
  notTheSame([commit, commit], [commit, { ...commit, ...change }], linear)

describe("a series that was applied", () => {
  it("is the same with another name and committer: those are of whoever applies it", () => {
    const bob = { ...ada, name: "Bob", date: "0 +0000" }
    assert.isNull(changed({ id: "3".repeat(40), committer: bob, message: "Say hello" }))
  })

  it("is not the same when anything of a commit was altered", () => {
    assert.match(notTheSame([commit, commit], [commit], true) ?? "", /2 commits became 1/)
    assert.match(notTheSame([commit], [commit, commit], true) ?? "", /1 commits became 2/)
    for (const author of [
      { ...ada, name: "Eve" },
      { ...ada, email: "eve@example.test" },
      { ...ada, date: "1767315846 +0200" },
      { ...ada, date: "1767315845 +0000" }
    ]) {
      assert.match(changed({ author }) ?? "", /author or date of 111111111111/)
    }
    assert.match(changed({ message: "Say hello\n\nMore\n" }) ?? "", /message of 111111111111/)
    assert.match(changed({ tree: "4".repeat(40) }) ?? "", /content of 111111111111/)
  })

  it("need not have the trees of a history with merges, which it straightens", () => {
    assert.isNull(changed({ tree: "4".repeat(40) }, false))
  })
})
