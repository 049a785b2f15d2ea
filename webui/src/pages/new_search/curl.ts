// curl: the command line that does what the form does.
export function curlOf(body: unknown): string {
  const text = JSON.stringify(body, null, 2).replace(/'/g, "'\\''");
  return `curl -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\\n  ${location.origin}/api/v1/searches -d '${text}'`;
}
