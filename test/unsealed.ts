import type { Caller, DossierView, Engine, FactView, PastMoment, PastView, ReplayedStep } from '@jalon/engine';
import type { Recorder } from '@jalon/flow';

/** Records nothing: for tests of what is shown, not of who is shown it. */
export const UNRECORDED: Recorder = async () => undefined;

/** What callers see of dossiers, without a record. */
export function unsealed(engine: Pick<Engine, 'disclose'>) {
  return {
    async show(caller: Caller, id: string): Promise<DossierView> {
      return (await engine.disclose(caller, id)).view().open(UNRECORDED);
    },
    async history(caller: Caller, id: string, after: number, limit: number): Promise<FactView[]> {
      return (await (await engine.disclose(caller, id)).history(after, limit)).open(UNRECORDED);
    },
    async past(caller: Caller, id: string, moment: PastMoment): Promise<PastView> {
      return (await (await engine.disclose(caller, id)).past(moment)).open(UNRECORDED);
    },
    async replay(caller: Caller, id: string): Promise<AsyncGenerator<ReplayedStep>> {
      return (await engine.disclose(caller, id)).replay().open(UNRECORDED);
    },
  };
}
