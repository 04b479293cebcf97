import { createHash } from "node:crypto"
import * as fs from "node:fs"
import type { Project } from "./project.ts"

/** Living processes that belong to the runs of a project, whatever group or session they have moved to. */
export const processesOf = (project: Project): ReadonlyArray<number> => {
  const root = fs.existsSync(project.state) ? fs.realpathSync(project.state) : project.state
  const marker = `SYMPHONY_RUN_MARKER=${createHash("sha256").update(root).digest("hex").slice(0, 16)}:`
  return fs.readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return []
    try {
      const mine = fs
        .readFileSync(`/proc/${name}/environ`, "utf8")
        .split("\0")
        .some((it) => it.startsWith(marker))
      const isZombie = /^State:\s+Z/m.test(fs.readFileSync(`/proc/${name}/status`, "utf8"))
      return mine && !isZombie ? [Number(name)] : []
    } catch {
      // Gone, or not ours to look at.
      return []
    }
  })
}

export const endProcessesOf = (project: Project): void => {
  for (const pid of processesOf(project)) {
    try {
      process.kill(pid, "SIGKILL")
    } catch {
      // Gone in the meantime.
    }
  }
}
