import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { adapterOf } from "../../src/agent/adapters.ts"

describe("codex, led to its model through the host", () => {
  let home = ""
  beforeEach(() => {
    home = fs.mkdtempSync(path.join(os.tmpdir(), "symphony-codex-"))
  })
  afterEach(() => fs.rmSync(home, { recursive: true }))

  const config = () => path.join(home, ".codex", "config.toml")
  const lead = (url: string): string => {
    const line = `${adapterOf("codex").proxied?.prelude(url)} && echo started`
    const ran = spawnSync("sh", ["-c", line], { env: { PATH: process.env["PATH"], HOME: home } })
    assert.strictEqual(ran.stdout.toString(), "started\n", ran.stderr.toString())
    return fs.readFileSync(config(), "utf8")
  }

  it("is told the address where it has no configuration", () => {
    assert.strictEqual(lead("http://127.0.0.1:1/model"), 'openai_base_url = "http://127.0.0.1:1/model"\n')
  })

  it("keeps the configuration of its image but for the address, run after run", () => {
    fs.mkdirSync(path.dirname(config()))
    const own = 'model = "gpt-5"\n\n[tools]\nweb_search = true\n'
    fs.writeFileSync(config(), `openai_base_url = "https://gateway.example/v1"\n${own}`)
    lead("http://127.0.0.1:1/first")
    assert.strictEqual(
      lead("http://127.0.0.1:2/second"),
      `openai_base_url = "http://127.0.0.1:2/second"\n${own}`
    )
    assert.deepStrictEqual(fs.readdirSync(path.dirname(config())), ["config.toml"])
  })
})
