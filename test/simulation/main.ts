import { fork } from "node:child_process"
import { availableParallelism } from "node:os"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { addCoverage, type Coverage, gaps, noCoverage, POOL_FAULTS } from "./coverage.ts"
import { isDeep, planOf } from "./plan.ts"
import { simulatePool } from "./pool.ts"
import { type Outcome, simulate } from "./simulate.ts"

const USAGE = `usage: npm run simulate -- [--seeds N] [--from S] [--steps K] [--deep] [--until-found]
       npm run simulate -- --seed S [--trace] [--steps K]
       npm run simulate -- --mutate NAME|all [--seeds N]`

interface Report extends Outcome {
  readonly ms: number
}

const say = (line: string): void => void process.stdout.write(`${line}\n`)

const runSeed = (seed: number, maxSteps: number | null, trace: ((line: string) => void) | null): Report => {
  const start = performance.now()
  const outcome = simulate(planOf(seed, { maxSteps, trace }))
  const { hits, violation } = simulatePool(seed)
  for (const fault of POOL_FAULTS) outcome.coverage.faults[fault] += hits[fault] ?? 0
  const found =
    violation === null ? null : { invariant: violation.invariant, detail: `${violation.message} (pool)` }
  return { ...outcome, violation: outcome.violation ?? found, ms: performance.now() - start }
}

const tellFailure = (report: Report): void => {
  say(`seed ${report.seed} broke a promise after ${report.hours.toFixed(2)} h and ${report.steps} tasks`)
  say(`  ${report.violation?.detail.split("\n").slice(0, 12).join("\n  ") ?? ""}`)
  say("  the last events:")
  for (const line of report.last.slice(-30)) say(`    ${line.slice(0, 200)}`)
  say(`  replay: npm run simulate -- --seed ${report.seed} --trace`)
}

interface Job {
  readonly seeds: number
  readonly from: number
  /** Of these, the deep ones only. */
  readonly deepOnly: boolean
  readonly maxSteps: number | null
  readonly stopAtFirst: boolean
}

/** Seeds are dealt out one at a time, one process a core: a slow seed holds up nobody. */
const runSeeds = ({ deepOnly, from, maxSteps, seeds, stopAtFirst }: Job): Promise<ReadonlyArray<Report>> =>
  new Promise((resolve, reject) => {
    const reports: Array<Report> = []
    const all = Array.from({ length: seeds }, (_, index) => from + index)
    const dealt = deepOnly ? all.filter(isDeep) : all
    let next = 0
    let living = 0
    let stopped = false
    const workers = Math.min(availableParallelism(), seeds)
    for (let index = 0; index < workers; index++) {
      const worker = fork(fileURLToPath(import.meta.url), ["--worker"], {
        // Stacks are for who replays a seed.
        execArgv: ["--max-semi-space-size=64", "--stack-trace-limit=0"]
      })
      living += 1
      const deal = (): void => {
        const seed = dealt[next++]
        if (stopped || seed === undefined) worker.disconnect()
        else worker.send({ seed, maxSteps })
      }
      worker.on("message", (report: Report) => {
        reports.push(report)
        if (report.violation !== null && stopAtFirst) stopped = true
        deal()
      })
      worker.on("exit", (code) => {
        living -= 1
        if (code !== 0) reject(new Error(`a process of the simulation ended with ${code}`))
        if (living === 0) resolve(reports.sort((left, right) => left.seed - right.seed))
      })
      deal()
    }
  })

const tellCoverage = (coverage: Coverage): void => {
  say("faults:")
  for (const [name, count] of Object.entries(coverage.faults)) say(`  ${String(count).padStart(8)}  ${name}`)
  say("crashes, by the stage they fell in:")
  for (const [name, count] of Object.entries(coverage.stages)) say(`  ${String(count).padStart(8)}  ${name}`)
}

const many = async (job: Job, checkCoverage: boolean): Promise<boolean> => {
  const start = performance.now()
  const reports = await runSeeds(job)
  const coverage = noCoverage()
  for (const report of reports) addCoverage(coverage, report.coverage)
  const failed = reports.filter(({ violation }) => violation !== null)
  for (const report of failed.slice(0, 5)) tellFailure(report)
  tellCoverage(coverage)
  const sum = (of: (report: Report) => number) => reports.reduce((total, report) => total + of(report), 0)
  const slowest = reports.reduce((worst, report) => (report.ms > worst.ms ? report : worst))
  say(
    `${reports.length} seeds from ${job.from}, ${sum(({ hours }) => hours).toFixed(0)} virtual hours, ` +
      `${sum(({ runs }) => runs)} runs, ${sum(({ crashes }) => crashes)} crashes, ` +
      `${sum(({ steps }) => steps)} tasks in ${((performance.now() - start) / 1000).toFixed(0)} s; ` +
      `slowest: seed ${slowest.seed}, ${(slowest.ms / 1000).toFixed(1)} s`
  )
  const missing = checkCoverage ? gaps(coverage, reports.length) : []
  for (const gap of missing) say(`not hit often enough: ${gap}`)
  say(
    failed.length === 0
      ? "every promise was kept"
      : `${failed.length} seeds broke a promise: ${failed.map(({ seed }) => seed).join(", ")}`
  )
  return failed.length === 0 && missing.length === 0
}

const worker = (): void => {
  process.on("message", (message: { readonly seed: number; readonly maxSteps: number | null }) => {
    process.send?.(runSeed(message.seed, message.maxSteps, null))
  })
  process.on("disconnect", () => process.exit(0))
}

const one = (seed: number, maxSteps: number | null, trace: boolean): boolean => {
  const report = runSeed(seed, maxSteps, trace ? say : null)
  if (report.violation !== null) tellFailure(report)
  say(
    `seed ${seed}: ${report.steps} tasks, ${report.hours.toFixed(2)} h, ${report.crashes} crashes, hash ${report.hash}`
  )
  return report.violation === null
}

const main = async (): Promise<boolean> => {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string", default: "100" },
      from: { type: "string", default: "1" },
      seed: { type: "string" },
      steps: { type: "string" },
      trace: { type: "boolean", default: false },
      "until-found": { type: "boolean", default: false },
      deep: { type: "boolean", default: false },
      worker: { type: "boolean", default: false }
    }
  })
  const whole = (text: string): number => {
    const value = Number(text)
    if (Number.isSafeInteger(value) && value >= 0) return value
    process.stderr.write(`${USAGE}\n`)
    process.exit(2)
  }
  const maxSteps = values.steps === undefined ? null : whole(values.steps)
  if (values.worker) {
    worker()
    return true
  }
  if (values.seed !== undefined) return one(whole(values.seed), maxSteps, values.trace)
  const seeds = whole(values.seeds)
  return many(
    { seeds, from: whole(values.from), maxSteps, deepOnly: values.deep, stopAtFirst: values["until-found"] },
    seeds >= 1000 && maxSteps === null && !values.deep
  )
}

main().then(
  (held) => {
    if (!held) process.exitCode = 1
  },
  (error: unknown) => {
    process.stderr.write(`${String(error)}\n`)
    process.exitCode = 2
  }
)
