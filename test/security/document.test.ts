import { spawnSync } from "node:child_process"
import * as path from "node:path"
import { assert, it } from "vitest"

const root = path.join(import.meta.dirname, "../..")

it("docs/security.md says of each case what the tests show", () => {
  const { status, stderr } = spawnSync(
    process.execPath,
    [path.join(root, "scripts/security-cases.mjs"), "--check"],
    { encoding: "utf8" }
  )
  assert.strictEqual(status, 0, stderr)
})
