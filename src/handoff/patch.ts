import { Effect, FileSystem } from "effect"
import { SafeFiles } from "../files/SafeFiles.ts"
import { fileBroke, gitBroke } from "./failures.ts"
import { Git } from "./Git.ts"
import type { Exported, HandoffRequest } from "./Handoff.ts"
import { renderReport } from "./report.ts"
import type { Verified } from "./verify.ts"

/**
 * How a branch is called as a file and as a folder. No branch has a `+`: one that ends in `.patch` would otherwise
 * have its folder where another one has its file.
 */
export const patchName = (branch: string): string => branch.replaceAll("/", "_").replace(/\.(?=patch$)/i, "+")

export interface BundleInput {
  readonly request: HandoffRequest
  readonly verified: Verified
  readonly gitDir: string
  readonly baseBranch: string
  /** Absolute folder. */
  readonly patches: string
  readonly finishedAt: number
}

const bundleOf = Effect.fnUntraced(function* (gitDir: string, branch: string, base: string) {
  const git = yield* Git
  return yield* git
    .run(["bundle", "create", "-q", "-", `refs/heads/${branch}`, `^${base}`], {
      cwd: gitDir,
      maxOutput: 1024 * 1024 * 1024
    })
    .pipe(Effect.mapError(gitBroke("making the bundle")))
})

/**
 * Writes `<branch>.patch` (one mbox for `git am`) and beside it the folder `<branch>/` with bundle, report and
 * what was left uncommitted. Each file is replaced as a whole; the patch is written last, so that a patch
 * that is there is complete. What an earlier run handed over is replaced, never removed.
 */
export const writeBundle = Effect.fn("writeBundle")(function* (input: BundleInput) {
  const { request, verified, patches } = input
  const { series, rest } = verified
  const git = yield* Git
  const files = yield* SafeFiles
  const fs = yield* FileSystem.FileSystem
  const name = patchName(request.branch)
  const place = { root: patches }
  const path = (file: string): string => `${patches}/${file}`
  const write = (file: string, content: string | Uint8Array) =>
    files.writeAtomic(place, file, content).pipe(Effect.mapError(fileBroke))

  const patchFile = `${name}.patch`
  const bundleFile = `${name}/${name}.bundle`
  const restFile = `${name}/uncommitted.patch`
  const reportFile = `${name}/HANDOFF.md`
  yield* fs.makeDirectory(patches, { recursive: true }).pipe(Effect.mapError(fileBroke))

  if (rest.patch !== null) yield* write(restFile, rest.patch)
  else yield* files.unlink(place, restFile).pipe(Effect.mapError(fileBroke))
  if (series !== null) {
    yield* write(bundleFile, yield* bundleOf(input.gitDir, request.branch, verified.base))
  }
  const tree =
    series === null
      ? null
      : yield* git
          .text(["rev-parse", `${series.head}^{tree}`], { cwd: input.gitDir })
          .pipe(Effect.mapError(gitBroke("reading the delivered commit")))
  const exported: Exported = {
    verdict: series === null ? "analysis" : "verified",
    base: verified.base,
    head: series?.head ?? null,
    tree,
    commits: series === null ? 0 : series.commits.length + series.bundleOnly.length,
    files: verified.files,
    flags: verified.flags,
    patch: series === null ? null : path(patchFile),
    bundle: series === null ? null : path(bundleFile),
    report: path(reportFile)
  }
  const report = renderReport({
    ...exported,
    request,
    baseBranch: input.baseBranch,
    commits: series?.commits ?? [],
    rest: rest.patch === null ? null : path(restFile),
    finishedAt: input.finishedAt
  })
  yield* write(reportFile, report)
  if (series !== null) yield* write(patchFile, series.mbox)
  return exported
})

/** The report alone, for work that is not handed off by git. */
export const writeSummary = Effect.fn("writeSummary")(function* (
  request: HandoffRequest,
  patches: string,
  baseBranch: string,
  finishedAt: number
) {
  const files = yield* SafeFiles
  const fs = yield* FileSystem.FileSystem
  const reportFile = `${patchName(request.branch)}/HANDOFF.md`
  const exported: Exported = {
    verdict: "analysis",
    base: "",
    head: null,
    tree: null,
    commits: 0,
    files: [],
    flags: [],
    patch: null,
    bundle: null,
    report: `${patches}/${reportFile}`
  }
  const report = renderReport({ ...exported, request, baseBranch, commits: [], rest: null, finishedAt })
  yield* fs.makeDirectory(patches, { recursive: true }).pipe(Effect.mapError(fileBroke))
  yield* files.writeAtomic({ root: patches }, reportFile, report).pipe(Effect.mapError(fileBroke))
  return exported
})
