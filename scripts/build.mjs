// Compiles src/ to dist/ and makes the command executable. Built aside and swapped in, so that what runs from
// dist/ never sees half of it. `--no-check` emits without checking types.
import { execFileSync } from "node:child_process"
import { chmodSync, cpSync, existsSync, renameSync, rmSync } from "node:fs"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const tsc = fileURLToPath(new URL("../node_modules/typescript/bin/tsc", import.meta.url))
const dist = `${root}/dist`
const next = `${root}/dist.${process.pid}.tmp`
const old = `${root}/dist.${process.pid}.old`

try {
  const check = process.argv.includes("--no-check") ? ["--noCheck"] : []
  execFileSync(process.execPath, [tsc, "-p", "tsconfig.build.json", "--outDir", next, ...check], {
    cwd: root,
    stdio: "inherit"
  })
  const assets = `${root}/src/http/dashboard/assets`
  if (existsSync(assets)) cpSync(assets, `${next}/http/dashboard/assets`, { recursive: true })
  if (existsSync(`${next}/main.js`)) chmodSync(`${next}/main.js`, 0o755)
  if (existsSync(dist)) renameSync(dist, old)
  renameSync(next, dist)
} finally {
  rmSync(next, { recursive: true, force: true })
  rmSync(old, { recursive: true, force: true })
}
