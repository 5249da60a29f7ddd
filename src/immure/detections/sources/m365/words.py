"""Names that occur in the unified audit log: what is not here is counted and shown."""

from __future__ import annotations

from typing import Final

from immure.detections.sources.wordset import wordset

#: What is done to mailboxes ("Mailbox audit logging actions" of Microsoft's documentation).
MAIL_OPERATIONS: Final = wordset(
    """
    mailitemsaccessed send sendas sendonbehalf softdelete harddelete movetodeleteditems move copy create
    update folderbind messagebind mailboxlogin recorddelete updateinboxrules updatefolderpermissions
    addfolderpermissions removefolderpermissions modifyfolderpermissions updatecalendardelegation
    attachmentaccess searchqueryinitiated applyrecord updatecompliancetag prioritycleanupdelete recordcreate
    recordupdate
    """
)
#: ExchangeItem, ExchangeItemGroup, ExchangeItemAggregated.
MAIL_RECORDS: Final = frozenset(
    {
        "2",
        "3",
        "50",
        "exchangeitem",
        "exchangeitemgroup",
        "exchangeitemaggregated",
        "exchangeaggregatedoperation",
    }
)
ADMIN_RECORDS: Final = frozenset({"1", "exchangeadmin"})
SIGN_INS: Final = frozenset({"userloggedin", "userloginfailed"})

#: Workloads whose other records are of no concern.
WORKLOADS: Final = wordset(
    """
    exchange sharepoint onedrive azureactivedirectory microsoftteams securitycompliancecenter powerbi
    microsoftforms microsoftstream yammer crm dynamics365 skypeforbusiness threatintelligence powerapps
    microsoftflow project planner quarantine myanalytics sway workplaceanalytics endpoint copilot
    airinvestigation microsofttodo compliance dlp informationprotection microsoftdefenderforendpoint
    defenderforendpoint microsoft365defender publicendpoint azuresecurity aip mip ediscovery microsoftintune
    windowsdefenderatp office365 powerplatform reports m365lighthouse onpremises officescripts vivaengage
    vivagoals vivainsights whiteboard places purview dataloss
    """
)

#: Members that are known, in small letters; the ones that are read and the ones that are of no concern.
MEMBERS: Final = wordset(
    """
    creationtime creationdate timegenerated timestamp id officeid sourcerecordid identity operation
    operations actiontype organizationid officetenantid tenantid recordtype resultstatus userkey usertype
    version workload officeworkload userid userids appaccesscontext appid clientappid clientipaddress
    client_ipaddress clientip actoripaddress clientinfostring externalaccess internallogontype logontype
    logon_type logonuserdisplayname logonusersid mailboxguid mailboxownersid mailboxownerupn
    mailboxownermasteraccountsid operationproperties organizationname originatingserver sessionid
    tokenobjectid tokentenantid tokentype folders operationcount mailaccesstype isthrottled item
    affecteditems folder destfolder destmailboxguid destmailboxownerupn destmailboxownersid destmailboxid
    crossmailboxoperation crossmailboxoperations clientprocessname clientversion clientmachinename
    clientrequestid clientcorrelationid actorinfostring clientappname clienttype clientipaddresses
    modifiedproperties saveattachments savetosentitems sendasusersmtp sendasusermailboxguid
    sendonbehalfofusersmtp sendonbehalfofusermailboxguid internetmessageid objectid extendedproperties
    azureactivedirectoryeventtype actor actorcontextid actoripaddr intersystemsid intrasystemid
    supportticketid target targetcontextid applicationid deviceproperties errornumber logonerror
    applicationdisplayname devicedisplayname scope auditdata raweventdata associatedadminunits
    associatedadminunitsnames administrativeunits parameters mailboxownermasteraccountsidname issuedattime
    uniquetokenid aadsessionid authtype tokenissuedattime subject messageid recordid resultindex resultcount
    runspaceid isvalid objectstate pscomputername psshowcomputername source_ type sourcesystem _resourceid
    _subscriptionid _itemid tenantid_ managementgroupname ipaddress application reportid accountid
    accountobjectid accountdisplayname isadminoperation devicetype osplatform countrycode city isp useragent
    activitytype activityobjects objectname objecttype isanonymousproxy isexternaluser isimpersonated iptags
    ipcategory useragenttags additionalfields accounttype applicationinstanceid lastseenforuser
    uncommonforuser auditsource sessiondata oauthappid rowkey partitionkey createddatetime
    auditlogrecordtype service userprincipalname mailboxownerguid logonusername elevationtime start_time
    folderitems deletetype isrecordtruncated recordtruncated odatatype @odata.type attachments
    sensitivitylabelid orginatingserver official usersharedwith timegeneratedutc policydetails
    managedidentity ressourceid site siteurl itemtype eventsource sourcefilename sourcefileextension
    sourcerelativeurl sitecollectionid tokenissuer gallery extrainfo eventdata resourceid fileextension
    listid listitemuniqueid webid platform deviceid ismanageddevice datacentersecurityeventtype
    effectiveorganization user_ callerid apiid
    """
)
#: Members of ``AppAccessContext``.
CONTEXT: Final = wordset(
    """
    aadsessionid apiid clientappid clientappname clientipaddress correlationid deviceid issuedattime
    permissionsused tokenissuedattime uniquetokenid authtime userobjectid tokentype identitytype
    """
)
#: Members that are read of a mailbox record; all other known ones are of no concern.
READ: Final = wordset(
    """
    creationtime creationdate timegenerated timestamp createddatetime id officeid sourcerecordid recordid
    identity _itemid reportid operation operations actiontype organizationid officetenantid tenantid
    organizationname recordtype resultstatus userkey workload officeworkload application userid userids
    userprincipalname appaccesscontext appid clientappid clientipaddress client_ipaddress clientip
    actoripaddress ipaddress clientinfostring externalaccess logontype logon_type mailboxguid
    mailboxownerupn operationproperties sessionid aadsessionid tokenobjectid tokentenantid folders
    operationcount mailaccesstype isthrottled item affecteditems folder destfolder issuedattime
    uniquetokenid auditdata raweventdata
    """
)
