/** What a newcomer is shown once the demonstration server listens: where to look, and a first request to paste. */
export function welcome(address: string, folder: string): string {
  return `
Jalon écoute sur ${address} (démonstration : données publiques et étapes reconstituées, dans ${folder}).

  Console         ${address}
  Documentation   ${address}/docs
  Procédure       ${address}/api/workflows/secnumcloud/1/diagram.svg
  État            ${address}/health/ready

Une première requête, à coller dans un autre terminal :

  TOKEN=$(curl -s ${address}/api/demo/token -H 'content-type: application/json' \\
    -d '{"role":"charge-de-qualification"}' | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')
  curl -s ${address}/api/dossiers -H "authorization: Bearer $TOKEN"

Arrêt : Ctrl-C (ce qui est accepté est terminé d'abord).
`;
}
