import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import type { Project } from "./project.ts"

/** A secret of the host that no guest is to have. */
export const CANARY = "sk-canary-5b1c2a7e9f"

/**
 * What the guest can see of itself, written where the test looks for the canary. On the `host` an agent is the
 * operator, and reads what every process of the operator has; what it was given is its own.
 */
export const hunt = (sandbox: "host" | "bubblewrap"): string =>
  (sandbox === "host" ? "{ env; " : "{ env; cat /proc/*/environ /proc/*/cmdline; ") +
  'grep -rsah . "$HOME"; } 2>/dev/null | ' +
  "tr '\\0' '\\n' | tr -cd '[:print:]\\n' | cut -c1-2000 | tail -c 200000 > hunted.txt; " +
  "env >> hunted.txt; echo hello > hello.txt; git add --all; " +
  "git -c user.name=agent -c user.email=agent@localhost commit --quiet --message='Say hello'"

/** Files below a folder that hold the canary. */
export const holding = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) => {
    const file = join(folder, path)
    return statSync(file, { throwIfNoEntry: false })?.isFile() === true && readFileSync(file).includes(CANARY)
  })

/** What people are shown of the run while it goes on. */
export const pages = async (project: Project, output: string): Promise<string> => {
  const base = /http:\/\/127\.0\.0\.1:\d+/.exec(output)?.[0] ?? ""
  const token = readFileSync(join(project.folder, ".symphony", "token"), "utf8").trim()
  const read = async (path: string): Promise<string> => {
    const response = await fetch(`${base}${path}`, { headers: { authorization: `Bearer ${token}` } })
    return `${response.status} ${await response.text()}`
  }
  return (await Promise.all(["/", "/api/v1/state", "/issues/REAL-1"].map(read))).join("\n")
}
