// Package web has what all HTTP surfaces of the server share: how a request carries a token, by which headers web pages of
// other origins may read an answer, how JSON is written, and the paths that one surface names in answers of another.
package web
