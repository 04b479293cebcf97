import type { VNode } from "preact"
import { renderToString } from "preact-render-to-string"
import { HttpServerResponse } from "effect/http"

export const pageResponse = (page: VNode, status = 200): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(`<!doctype html>${renderToString(page)}`, {
    status,
    contentType: "text/html; charset=utf-8"
  })

/** A part of a page, to be put into one that is there. */
export const fragmentResponse = (fragment: VNode): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(renderToString(fragment), { contentType: "text/html; charset=utf-8" })
