/**
 * The type of a contact card, which a message may hold.
 *
 * @module
 */

/** A contact card. */
export interface WhatsAppContact {
  /** The name. */
  name: {
    /** As shown. */
    formattedName?: string | undefined;
    /** First name. */
    firstName?: string | undefined;
    /** Last name. */
    lastName?: string | undefined;
    /** Middle name. */
    middleName?: string | undefined;
    /** Suffix. */
    suffix?: string | undefined;
    /** Prefix. */
    prefix?: string | undefined;
  };
  /** Phone numbers. */
  phones: {
    /** The number. */
    phone?: string | undefined;
    /** The WhatsApp id. */
    waId?: string | undefined;
    /** Such as `HOME`. */
    type?: string | undefined;
  }[];
  /** E-mail addresses. */
  emails: {
    /** The address. */
    email?: string | undefined;
    /** Such as `WORK`. */
    type?: string | undefined;
  }[];
  /** Postal addresses. */
  addresses: {
    /** Street. */
    street?: string | undefined;
    /** City. */
    city?: string | undefined;
    /** State. */
    state?: string | undefined;
    /** Postal code. */
    zip?: string | undefined;
    /** Country. */
    country?: string | undefined;
    /** Country code. */
    countryCode?: string | undefined;
    /** Such as `HOME`. */
    type?: string | undefined;
  }[];
  /** Web pages. */
  urls: {
    /** The URL. */
    url?: string | undefined;
    /** Such as `WORK`. */
    type?: string | undefined;
  }[];
  /** The organisation. */
  org?: {
    /** Company. */
    company?: string | undefined;
    /** Department. */
    department?: string | undefined;
    /** Title. */
    title?: string | undefined;
  } | undefined;
  /** The birthday, as sent. */
  birthday?: string | undefined;
  /** Origin of the card, if Meta reports it: `contact_request` or `other`. */
  origin?: string | undefined;
  /** The card as a vCard, if Meta sent that too. */
  vcard?: string | undefined;
}
