// Compiles src/ to dist/ and makes the command executable.
import { execFileSync } from "node:child_process"
import { chmodSync, cpSync, existsSync, rmSync } from "node:fs"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const tsc = fileURLToPath(new URL("../node_modules/typescript/bin/tsc", import.meta.url))

rmSync(`${root}/dist`, { recursive: true, force: true })
execFileSync(process.execPath, [tsc, "-p", "tsconfig.build.json"], { cwd: root, stdio: "inherit" })
const assets = `${root}/src/http/dashboard/assets`
if (existsSync(assets)) cpSync(assets, `${root}/dist/http/dashboard/assets`, { recursive: true })
chmodSync(`${root}/dist/main.js`, 0o755)
