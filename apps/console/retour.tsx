import { useEffect, useState } from 'react';
import { useNavigate } from 'react-router';
import { ProblemAlert, Waiting } from './loaded.tsx';
import { comeBack } from './openid.ts';
import { Page } from './page.tsx';
import { enter } from './session.ts';

/** An answer of the identity provider is good for one use: React mounts twice in development. */
let coming: ReturnType<typeof comeBack> | undefined;

/** Where the identity provider comes back to. */
export function Component() {
  const navigate = useNavigate();
  const [fault, setFault] = useState<Error | null>(null);
  useEffect(() => {
    coming ??= comeBack(location.href);
    coming
      .then(({ session, wanted }) => {
        enter(session);
        return navigate(wanted.startsWith('/') ? wanted : '/', { replace: true });
      })
      .catch((caught: unknown) => setFault(caught as Error))
      .finally(() => {
        coming = undefined;
      });
  }, [navigate]);
  return <Page title="Connexion">{fault ? <ProblemAlert fault={fault} /> : <Waiting />}</Page>;
}
