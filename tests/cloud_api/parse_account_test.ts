import { assert, assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import type { JsonObject } from "../../cloud_api/json.ts";
import { ENTRY_TIME, parseField, typedMembers, typedRecords } from "../support/field_values.ts";

function seconds(unix: number): Date {
  return new Date(unix * 1000);
}

describe("parseAccountSettings", () => {
  it("reads settings of calls, and the number that they are of", () => {
    assertEquals(typedRecords("accountSettings"), [{
      kind: "accountSettings",
      phoneNumberId: "900000000000777",
      timestamp: seconds(1790416804),
      type: "phone_number_settings",
      calling: {
        status: "ENABLED",
        callIconVisibility: "DEFAULT",
        restrictToUserCountries: ["US", "BR"],
        callbackPermissionStatus: "DISABLED",
        srtpKeyExchangeProtocol: "DTLS",
        callHours: {
          status: "ENABLED",
          timezoneId: "America/Manaus",
          weeklyOperatingHours: [{ dayOfWeek: "MONDAY", openTime: "0400", closeTime: "1020" }],
          holidaySchedule: [{ date: "2027-01-01", startTime: "0000", endTime: "2359" }],
        },
        sipStatus: "ENABLED",
        sipServers: [{ hostname: "sip.example", port: 5061, appId: "5001", requestUriUserParams: { tgrp: "one" } }],
      },
    }]);
  });

  const types: [value: JsonObject, type: string][] = [
    [{ type: "PHONE_NUMBER_SETTINGS" }, "phone_number_settings"],
    [{ type: "phone_number_settings", phone_number_settings: { calling: null } }, "phone_number_settings"],
    [{ phone_number_settings: {} }, "phone_number_settings"],
    [{ type: "storage_settings" }, "storage_settings"],
    [{}, ""],
  ];
  for (const [value, type] of types) {
    it(`reads the type of ${JSON.stringify(value)}`, () => {
      const [record] = parseField("account_settings_update", value).records;
      assertEquals(record?.kind === "accountSettings" && [record.type, record.calling], [type, undefined]);
    });
  }
});

describe("parseTemplate", () => {
  const base = {
    kind: "template",
    timestamp: ENTRY_TIME,
    id: "1689556908129832",
    name: "order_update",
    language: "en_US",
  };
  const expected: Record<string, JsonObject> = {
    templateRejected: {
      event: "REJECTED",
      reason: "INVALID_FORMAT",
      category: "MARKETING",
      rejectionReason: "Parameters without text between",
      recommendation: "Write text between",
    },
    templatePaused: {
      event: "PAUSED",
      disableDate: "1790416809",
      title: "FIRST_PAUSE",
      description: "Paused for 3 hours",
    },
    templateQuality: { previousQualityScore: "GREEN", newQualityScore: "YELLOW" },
    templateComponents: {
      components: {
        header: "On its way",
        body: "Order {{1}} is on its way",
        footer: "The shop",
        buttons: [
          { type: "URL", text: "Track", url: "https://shop.example/" },
          { type: "PHONE_NUMBER", text: "Call", phoneNumber: "+15550001111" },
        ],
      },
    },
    templateCategory: { previousCategory: "UTILITY", newCategory: "MARKETING" },
    templateCategoryToCome: {
      newCategory: "UTILITY",
      correctCategory: "MARKETING",
      categoryUpdateTime: seconds(1790503200),
    },
    templateDetection: { category: "UTILITY", correctCategory: "MARKETING" },
  };
  for (const [name, members] of Object.entries(expected)) {
    it(`reads ${name}`, () => assertEquals(typedRecords(name), [{ ...base, ...members }]));
  }

  it("reads anything", () => {
    const wrong = { message_template_id: {}, event: 1, other_info: [], message_template_buttons: "x" };
    assertEquals(parseField("message_template_status_update", wrong).records.map(typedMembers) as unknown, [
      { kind: "template", timestamp: ENTRY_TIME, id: "", event: "1", components: { buttons: [] } },
    ]);
  });
});

describe("parseAccount", () => {
  const account = { accountId: "8001", ownerBusinessId: "8002", solutionPartnerBusinessIds: [] };
  const expected: Record<string, JsonObject> = {
    accountDeleted: { event: "ACCOUNT_DELETED" },
    accountViolation: {
      event: "ACCOUNT_VIOLATION",
      displayPhoneNumber: "15550001111",
      violation: { type: "USER_INITIATED_CALLS_LOW_PICKUP_RATE", remediation: "Answer calls" },
    },
    accountRestriction: {
      event: "ACCOUNT_RESTRICTION",
      restrictions: [
        { type: "RESTRICTED_BIZ_INITIATED_MESSAGING", expiration: seconds(1790416810), remediation: "Wait" },
        { type: "RESTRICTED_ADD_PHONE_NUMBER_ACTION", expiration: seconds(1790416811) },
      ],
    },
    accountBan: { event: "DISABLED_UPDATE", ban: { state: "SCHEDULE_FOR_DISABLE", date: "January 31, 2027" } },
    accountPartner: {
      event: "PARTNER_APP_INSTALLED",
      account: {
        ...account,
        partnerAppId: "8003",
        solutionId: "8004",
        solutionPartnerBusinessIds: ["8005", "8006"],
      },
    },
    accountPartnerRemoved: {
      event: "PARTNER_REMOVED",
      account,
      disconnection: { reason: "PRIMARY_INACTIVITY", initiatedBy: "SYSTEM" },
    },
    accountAds: { event: "AD_ACCOUNT_LINKED", account: { ...account, adAccountId: "8007" } },
    accountCertification: {
      event: "PARTNER_CLIENT_CERTIFICATION_STATUS_UPDATE",
      partnerCertification: {
        clientBusinessId: "8008",
        status: "FAILED",
        rejectionReasons: ["LEGAL NAME NOT MATCHING"],
      },
    },
    accountCertificationNeeded: {
      event: "PARTNER_CLIENT_CERTIFICATION_NEEDED",
      partnerCertification: { clientBusinessId: "8008", rejectionReasons: [] },
    },
    accountRates: {
      event: "AUTH_INTL_PRICE_ELIGIBILITY_UPDATE",
      rateEligibility: {
        startTime: seconds(1790416812),
        exceptionCountries: [{ countryCode: "ID", startTime: seconds(1790416813) }],
      },
    },
    accountPricingTier: {
      event: "VOLUME_BASED_PRICING_TIER_UPDATE",
      pricingTier: {
        updateTime: seconds(1790416814),
        pricingCategory: "UTILITY",
        tier: "25000001:50000000",
        effectiveMonth: "2026-11",
        region: "India",
      },
    },
    accountCountry: { event: "BUSINESS_PRIMARY_LOCATION_COUNTRY_UPDATE", country: "IN" },
    accountAlert: {
      phoneNumberId: "900000000000777",
      alert: {
        type: "OBA_REJECTED",
        severity: "WARNING",
        status: "ACTIVE",
        description: "It was not accepted",
        entityType: "PHONE_NUMBER",
        entityId: "900000000000777",
      },
    },
    accountReview: { decision: "APPROVED" },
    capability: {
      limits: {
        maxDailyConversationsPerBusiness: "TIER_2K",
        maxDailyConversationPerPhone: "-1",
        maxPhoneNumbersPerBusiness: 2,
        maxPhoneNumbersPerAccount: 25,
      },
    },
    numberName: {
      displayPhoneNumber: "15550001111",
      decision: "REJECTED",
      requestedVerifiedName: "The Shop",
      rejectionReason: "NAME_FORMAT_UNACCEPTABLE",
    },
    numberQuality: {
      displayPhoneNumber: "15550001111",
      event: "THROUGHPUT_UPGRADE",
      limits: { oldLimit: "TIER_2K", currentLimit: "TIER_10K" },
    },
    username: { displayPhoneNumber: "15550001111", username: "the.shop", status: "reserved" },
    partnerSolution: { event: "SOLUTION_CREATED", solutionId: "8004", status: "INITIATED" },
    paymentConfiguration: {
      status: "Needs Testing",
      paymentConfiguration: {
        name: "shop-in",
        providerName: "razorpay",
        providerMid: "acc_1",
        createdTime: seconds(1790416815),
        updatedTime: seconds(1790416816),
      },
    },
    security: { displayPhoneNumber: "15550001111", event: "PIN_RESET_REQUEST", requester: "8009" },
  };
  for (const [name, members] of Object.entries(expected)) {
    it(`reads ${name}`, () => {
      assertEquals(typedRecords(name), [{ kind: "account", timestamp: ENTRY_TIME, ...members }]);
    });
  }

  it("reads the username that was asked for, where it stands alone", () => {
    const [record] = parseField("phone_number_username_update", { requested_username: "@the.shop" }).records;
    assert(record?.kind === "account");
    assertEquals(record.username, "the.shop");
  });

  it("takes a portfolio's alert as about no number", () => {
    const [record] = parseField("account_alerts", { entity_type: "BUSINESS", entity_id: "8002" }).records;
    assertEquals(record?.phoneNumberId, undefined);
  });

  it("reads a restriction that is no list, and an alert without an object of its own", () => {
    const restriction_info = { restriction_type: "RESTRICTED_UTILITY_TEMPLATES" };
    const [restricted] = parseField("account_update", { restriction_info }).records;
    assertEquals(restricted?.kind === "account" && restricted.restrictions, [{ type: "RESTRICTED_UTILITY_TEMPLATES" }]);
    const [alerted] = parseField("account_alerts", { alert_type: "OBA_APPROVED" }).records;
    assertEquals(alerted?.kind === "account" && alerted.alert, { type: "OBA_APPROVED" });
  });

  it("reads anything", () => {
    const wrong = { event: [], waba_info: "x", restriction_info: 1, violation_info: [], entity_id: {}, username: "@" };
    assertEquals(parseField("account_update", wrong).records.map(typedMembers) as unknown, [
      { kind: "account", timestamp: ENTRY_TIME, restrictions: [] },
    ]);
  });
});

describe("parseFlow", () => {
  const base = { kind: "flow", timestamp: ENTRY_TIME, flowId: "7001", message: "Something happened", errors: [] };
  const expected: Record<string, JsonObject> = {
    flowStatus: { event: "FLOW_STATUS_CHANGE", oldStatus: "DRAFT", newStatus: "PUBLISHED", reason: "by hand" },
    flowErrors: {
      event: "CLIENT_ERROR_RATE",
      errorRate: 14.28,
      threshold: 10,
      alertState: "ACTIVATED",
      errors: [{ type: "TIMEOUT", rate: 66.66, count: 2 }],
    },
    flowLatency: {
      event: "ENDPOINT_LATENCY",
      p50Latency: 200,
      p90Latency: 8000,
      requestsCount: 34,
      threshold: 7000,
      alertState: "DEACTIVATED",
    },
    flowAvailability: { event: "ENDPOINT_AVAILABILITY", availability: 75, threshold: 90, alertState: "ACTIVATED" },
    flowExpiry: { event: "FLOW_VERSION_EXPIRY_WARNING", warning: "It will freeze in 21 days" },
  };
  for (const [name, members] of Object.entries(expected)) {
    it(`reads ${name}`, () => assertEquals(typedRecords(name), [{ ...base, ...members }]));
  }

  it("reads anything", () => {
    const wrong = { event: null, flow_id: [], errors: [1, {}], threshold: "x" };
    assertEquals(parseField("flows", wrong).records.map(typedMembers) as unknown, [
      { kind: "flow", timestamp: ENTRY_TIME, flowId: "", event: "", errors: [{}] },
    ]);
  });
});
