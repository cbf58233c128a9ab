/** Operations that are refused, with what to do instead. */
const REASONS: readonly (readonly [reason: string, operations: string])[] = [
  ['Parameters are not shared between accounts.', `PutResourcePolicy GetResourcePolicies DeleteResourcePolicy`],
  [
    'There are no managed nodes here; run code in functions.',
    `CreateActivation DeleteActivation DescribeActivations DeregisterManagedInstance DescribeInstanceInformation
     DescribeInstanceProperties UpdateManagedInstanceRole ListNodes ListNodesSummary
     DeregisterDefaultHostManagementConfiguration RegisterDefaultHostManagementConfiguration`,
  ],
  [
    'There are no nodes to run commands on; run code in functions.',
    `SendCommand CancelCommand ListCommands ListCommandInvocations GetCommandInvocation`,
  ],
  [
    'There are no nodes to connect to.',
    `StartSession ResumeSession TerminateSession DescribeSessions GetConnectionStatus GetAccessToken
     StartAccessRequest`,
  ],
  [
    'Documents are not kept: there is nothing that would run them.',
    `CreateDocument DeleteDocument DescribeDocument DescribeDocumentPermission GetDocument ListDocuments
     ListDocumentVersions ListDocumentMetadataHistory ModifyDocumentPermission UpdateDocument
     UpdateDocumentDefaultVersion UpdateDocumentMetadata`,
  ],
  [
    'Automations are not run; use functions and EventBridge.',
    `StartAutomationExecution StopAutomationExecution GetAutomationExecution DescribeAutomationExecutions
     DescribeAutomationStepExecutions SendAutomationSignal StartChangeRequestExecution StartExecutionPreview
     GetExecutionPreview GetCalendarState`,
  ],
  [
    'There are no nodes whose state could be kept.',
    `CreateAssociation CreateAssociationBatch DeleteAssociation DescribeAssociation DescribeAssociationExecutions
     DescribeAssociationExecutionTargets DescribeEffectiveInstanceAssociations
     DescribeInstanceAssociationsStatus ListAssociations ListAssociationVersions StartAssociationsOnce
     UpdateAssociation UpdateAssociationStatus`,
  ],
  [
    'There are no nodes to patch.',
    `CreatePatchBaseline DeletePatchBaseline DeregisterPatchBaselineForPatchGroup DescribeAvailablePatches
     DescribeEffectivePatchesForPatchBaseline DescribeInstancePatches DescribeInstancePatchStates
     DescribeInstancePatchStatesForPatchGroup DescribePatchBaselines DescribePatchGroups DescribePatchGroupState
     DescribePatchProperties GetDefaultPatchBaseline GetDeployablePatchSnapshotForInstance GetPatchBaseline
     GetPatchBaselineForPatchGroup RegisterDefaultPatchBaseline RegisterPatchBaselineForPatchGroup
     UpdatePatchBaseline`,
  ],
  [
    'There are no maintenance windows; run something at a time with EventBridge Scheduler.',
    `CancelMaintenanceWindowExecution CreateMaintenanceWindow DeleteMaintenanceWindow
     DeregisterTargetFromMaintenanceWindow DeregisterTaskFromMaintenanceWindow DescribeMaintenanceWindowExecutions
     DescribeMaintenanceWindowExecutionTaskInvocations DescribeMaintenanceWindowExecutionTasks
     DescribeMaintenanceWindowSchedule DescribeMaintenanceWindowTargets DescribeMaintenanceWindowTasks
     DescribeMaintenanceWindows DescribeMaintenanceWindowsForTarget GetMaintenanceWindow
     GetMaintenanceWindowExecution GetMaintenanceWindowExecutionTask
     GetMaintenanceWindowExecutionTaskInvocation GetMaintenanceWindowTask RegisterTargetWithMaintenanceWindow
     RegisterTaskWithMaintenanceWindow UpdateMaintenanceWindow UpdateMaintenanceWindowTarget
     UpdateMaintenanceWindowTask`,
  ],
  [
    'There are no nodes to take an inventory or to check compliance of.',
    `DeleteInventory DescribeInventoryDeletions GetInventory GetInventorySchema ListComplianceItems
     ListComplianceSummaries ListInventoryEntries ListResourceComplianceSummaries PutComplianceItems PutInventory
     CreateResourceDataSync DeleteResourceDataSync ListResourceDataSync UpdateResourceDataSync`,
  ],
  [
    'OpsCenter and Application Manager are not here.',
    `AssociateOpsItemRelatedItem CreateOpsItem CreateOpsMetadata DeleteOpsItem DeleteOpsMetadata DescribeOpsItems
     DisassociateOpsItemRelatedItem GetOpsItem GetOpsMetadata GetOpsSummary ListOpsItemEvents
     ListOpsItemRelatedItems ListOpsMetadata UpdateOpsItem UpdateOpsMetadata`,
  ],
  [
    'Other clouds are not connected.',
    `CreateCloudConnector DeleteCloudConnector GetCloudConnector ListCloudConnectors UpdateCloudConnector
     ValidateCloudConnector`,
  ],
];

export const REFUSED: Readonly<Record<string, string>> = Object.fromEntries(
  REASONS.flatMap(([reason, operations]) => operations.split(/\s+/).map((operation) => [operation, reason])),
);
