/** Operations that are refused, with what to do instead. */
const REASONS: readonly (readonly [reason: string, operations: string])[] = [
  [
    'There are no global endpoints here: send events to an event bus.',
    'CreateEndpoint DeleteEndpoint DescribeEndpoint ListEndpoints UpdateEndpoint',
  ],
  [
    'There are no partner event sources here: send their events to an event bus with PutEvents.',
    `ActivateEventSource CreatePartnerEventSource DeactivateEventSource DeletePartnerEventSource DescribeEventSource
     DescribePartnerEventSource ListEventSources ListPartnerEventSourceAccounts ListPartnerEventSources PutPartnerEvents`,
  ],
];

export const REFUSED: Readonly<Record<string, string>> = Object.fromEntries(
  REASONS.flatMap(([reason, operations]) => operations.split(/\s+/).map((operation) => [operation, reason])),
);
