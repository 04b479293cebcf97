// `npm run simulate`: compiles the simulation and what it simulates, then runs it with the same arguments.
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const mutate = process.argv.indexOf("--mutate")
const run = (...args) => spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" }).status ?? 1

const compiled = run(join(root, "node_modules/typescript/bin/tsc"), "-p", "tsconfig.simulation.json")
if (compiled !== 0) process.exit(compiled)
const program = mutate === -1 ? "main.js" : "mutate.js"
process.exitCode = run(join(root, "dist-simulation/test/simulation", program), ...process.argv.slice(2))
