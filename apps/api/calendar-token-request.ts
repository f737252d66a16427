import { Text } from '@jalon/flow';

/** What a token of a calendar is asked with. */
export class CalendarTokenRequest {
  @Text({ label: 'Nom', hint: "Pour s'y retrouver : « Téléphone »", max: 200, optional: true }) label?: string;
}
