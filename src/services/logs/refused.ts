/** Operations that are refused, with what to do instead. */
const REASONS: readonly (readonly [reason: string, operations: string])[] = [
  ['Log groups are not encrypted with keys of KMS.', `AssociateKmsKey DisassociateKmsKey`],
  [
    'Read events with FilterLogEvents, or follow them with StartLiveTail.',
    `StartQuery StopQuery GetQueryResults DescribeQueries PutQueryDefinition DeleteQueryDefinition
     DescribeQueryDefinitions GetLogRecord GetLogFields GetLogGroupFields GetLogObject
     ListLogGroupsForQuery CreateScheduledQuery DeleteScheduledQuery GetScheduledQuery
     GetScheduledQueryHistory ListScheduledQueries UpdateScheduledQuery CreateLookupTable
     DeleteLookupTable DescribeLookupTables GetLookupTable UpdateLookupTable DescribeFieldIndexes
     PutIndexPolicy DeleteIndexPolicy DescribeIndexPolicies ListAggregateLogGroupSummaries`,
  ],
  ['Metrics are not made from log events; try a pattern with TestMetricFilter.', `PutMetricFilter DeleteMetricFilter`],
  [
    'Log events are not delivered elsewhere; follow them with StartLiveTail.',
    `PutSubscriptionFilter DeleteSubscriptionFilter PutDestination PutDestinationPolicy DeleteDestination
     DescribeDestinations CreateDelivery DeleteDelivery GetDelivery DescribeDeliveries
     UpdateDeliveryConfiguration PutDeliveryDestination DeleteDeliveryDestination GetDeliveryDestination
     DescribeDeliveryDestinations PutDeliveryDestinationPolicy DeleteDeliveryDestinationPolicy
     GetDeliveryDestinationPolicy PutDeliverySource DeleteDeliverySource GetDeliverySource
     DescribeDeliverySources DescribeConfigurationTemplates PutIntegration DeleteIntegration
     GetIntegration ListIntegrations AssociateSourceToS3TableIntegration
     DisassociateSourceFromS3TableIntegration ListSourcesForS3TableIntegration PutSyslogConfiguration
     DeleteSyslogConfiguration ListSyslogConfigurations`,
  ],
  [
    'Read events page by page with FilterLogEvents.',
    `CreateExportTask CancelExportTask DescribeExportTasks CreateImportTask CancelImportTask
     DescribeImportTasks DescribeImportTaskBatches`,
  ],
  [
    'Log events are stored as they come: neither masked nor transformed.',
    `PutDataProtectionPolicy DeleteDataProtectionPolicy GetDataProtectionPolicy PutTransformer
     DeleteTransformer GetTransformer TestTransformer`,
  ],
  [
    'Set what is needed on each log group.',
    `PutAccountPolicy DeleteAccountPolicy DescribeAccountPolicies PutStorageTierPolicy
     GetStorageTierPolicy`,
  ],
  [
    'Access is decided by the policies of IAM.',
    `PutResourcePolicy DeleteResourcePolicy DescribeResourcePolicies PutBearerTokenAuthentication`,
  ],
  [
    'Anomalies are not looked for.',
    `CreateLogAnomalyDetector DeleteLogAnomalyDetector GetLogAnomalyDetector ListLogAnomalyDetectors
     UpdateLogAnomalyDetector ListAnomalies UpdateAnomaly`,
  ],
];

export const REFUSED: Readonly<Record<string, string>> = Object.fromEntries(
  REASONS.flatMap(([reason, operations]) => operations.split(/\s+/).map((operation) => [operation, reason])),
);
