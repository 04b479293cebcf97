import * as fs from "node:fs"
import { test } from "vitest"
import { endProcessesOf } from "./processes.ts"
import { type Program, type Service, serve, startProgram, type StartOptions, type Ended } from "./program.ts"
import { makeProject, type Project, type ProjectOptions, removeProject } from "./project.ts"

/** For describe blocks: real processes share the machine with whatever else it does. Milliseconds. */
export const BUSY_MACHINE = 180_000

/** Waits for a name in a folder, watched from now on. */
export const appears = (folder: string, name: string): Promise<void> =>
  new Promise((resolve) => {
    const watcher = fs.watch(folder, (_, seen) => {
      if (seen !== name) return
      watcher.close()
      resolve()
    })
  })

/** Makes projects and starts programs that end with the test. */
export interface Workshop {
  readonly project: (options?: ProjectOptions) => Project
  readonly start: (project: Project, args?: ReadonlyArray<string>, options?: Partial<StartOptions>) => Program
  /** Runs to the end. */
  readonly run: (
    project: Project,
    args?: ReadonlyArray<string>,
    options?: Partial<StartOptions>
  ) => Promise<Ended>
  /** Prints a number that a promise is about; what is asserted leaves room for a busy machine. */
  readonly note: (measured: string) => void
  readonly serve: (
    project: Project,
    args?: ReadonlyArray<string>,
    options?: Partial<StartOptions>
  ) => Promise<Service>
}

export const it = test.extend<{ readonly workshop: Workshop }>({
  // oxlint-disable-next-line no-empty-pattern -- vitest reads the names of fixtures from it
  workshop: async ({}, use) => {
    const projects: Array<Project> = []
    const programs: Array<Program> = []
    const keep = <P extends Program>(program: P): P => {
      programs.push(program)
      return program
    }
    const start: Workshop["start"] = (project, args = [], options = {}) =>
      keep(startProgram(args, { cwd: project.root, home: project.home, ...options }))
    await use({
      project: (options) => {
        const project = makeProject(options)
        projects.push(project)
        return project
      },
      start,
      note: (measured) => void process.stdout.write(`measured: ${measured}\n`),
      run: (project, args, options) => start(project, args, options).ended,
      serve: async (project, args, options) => serve(start(project, args, options), project)
    })
    for (const program of programs) program.kill("SIGKILL")
    await Promise.all(programs.map((program) => program.ended))
    for (const project of projects) {
      endProcessesOf(project)
      removeProject(project)
    }
  }
})
