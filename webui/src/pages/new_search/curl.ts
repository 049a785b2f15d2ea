// curl: the command line that does what the form does.
export function curlOf(body: unknown): string {
  const text = JSON.stringify(body, null, 2).replace(/'/g, "'\\''");
  return `curl ${location.origin}/api/v1/searches \\\n  -H "Authorization: Bearer $TOKEN" \\\n  -H 'Content-Type: application/json' \\\n  -d '${text}'`;
}
