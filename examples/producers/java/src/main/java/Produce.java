// SPDX-License-Identifier: Apache-2.0

import java.io.IOException;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.avro.Conversions.DecimalConversion;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericData.Record;
import org.apache.avro.generic.GenericRecordBuilder;
import org.apache.avro.message.BinaryMessageEncoder;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Writes sessions and orders to Kafka as the connector reads them; docs/producers.md says why it is done like this.
 *
 * <pre>mvn -q compile exec:java -Dexec.args="localhost:9092 commerce-events session-attribution ../../../schemas/avro"</pre>
 */
public final class Produce {
  private static final long MINUTE_MS = 60_000;
  private static final long SHOPPER = -7636538281262557000L;
  private static final long OTHER_SHOPPER = 42;
  private static final String FIRST_SESSION = "5A7C7E0F-0B5D-4A6B-9B8F-0F6B5C0E1D11";
  private static final String ENDED_SESSION = "5A7C7E0F-0B5D-4A6B-9B8F-0F6B5C0E1D22";

  private final Schemas schemas;
  private final long now = System.currentTimeMillis();

  private Produce(Schemas schemas) {
    this.schemas = schemas;
  }

  public static void main(String[] arguments) throws Exception {
    String events = arguments[1];
    String sessions = arguments[2];
    Produce produce = new Produce(new Schemas(Path.of(arguments[3])));
    Map<String, Object> settings = Map.of(
        "bootstrap.servers", arguments[0],
        "enable.idempotence", true); // nothing twice, nothing out of order
    try (var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
      List<Future<?>> written = new ArrayList<>();
      for (Keyed each : produce.sessions()) {
        written.add(producer.send(each.to(sessions)));
      }
      for (Keyed each : produce.orders()) {
        written.add(producer.send(each.to(events)));
      }
      for (Future<?> each : written) {
        each.get(); // throws if it could not be written
      }
    }
  }

  /** Where shoppers came from before they bought. A tombstone forgets a session for good. */
  private List<Keyed> sessions() throws IOException {
    long arrived = now - 10 * MINUTE_MS;
    return List.of(
        session(FIRST_SESSION, SHOPPER, "srctok-example-1", arrived),
        session(ENDED_SESSION, OTHER_SHOPPER, "srctok-example-3", arrived),
        session(ENDED_SESSION, OTHER_SHOPPER, null, arrived + MINUTE_MS),
        new Keyed("5A7C7E0F-0B5D-4A6B-9B8F-0F6B5C0E1D33", null));
  }

  /** Which token a session, and its user, has from when on; null says that it has none any more. */
  private Keyed session(String sessionUuid, long mpid, String btnRef, long observedAt) throws IOException {
    Record session = new GenericRecordBuilder(schemas.session)
        .set("session_uuid", sessionUuid)
        .set("mpid", mpid)
        .set("btn_ref", btnRef)
        .set("observed_at", observedAt)
        .build();
    return new Keyed(sessionUuid, schemas.encode(session));
  }

  /** What happened in the shop, in the order in which it happened; each record's key is its order's id. */
  private List<Keyed> orders() throws IOException {
    Record attributed = event("purchase", "order-1001", now, action("purchase", "order-1001")
            .set("total_amount", decimal("59.97")) // with tax and shipping; 12.34 * 2 + 25.49 + 4.80 + 5.00
            .set("tax_amount", decimal("4.80"))
            .set("shipping_amount", decimal("5.00"))
            .set("products", List.of(
                line("MUG-02", "Enamel mug", "12.34", 2).build(),
                line("TEE-BLK-M", "Black tee", "25.49", 1).set("category", "Apparel").build())))
        .set("session_uuid", FIRST_SESSION) // its token is in the sessions topic
        .set("mpid", SHOPPER)
        .set("currency_code", "USD")
        .set("user_identities", List.of(
            identity("customer_id", "customer-1"),
            identity("email", "shopper@example.com"))) // leaves the connector as SHA-256 only
        .set("consent_state", advertising(true))
        .build();
    Record inTheApp = event("purchase", "order-1002", now, action("purchase", "order-1002")
            .set("total_amount", decimal("1200"))
            .set("products", List.of(line("CAP-RED", "Red cap", "1200", 1).build())))
        .set("btn_ref", "srctok-example-2") // known to the app, so no session is needed
        .set("currency_code", "JPY")
        .set("order_channel", "app")
        .set("is_new_customer", true)
        .set("device", new GenericRecordBuilder(schemas.device)
            .set("platform", "iOS")
            .set("ios_advertising_id", "6D92078A-8246-4BA4-AE5B-76104861E7DC")
            .build())
        .build();
    Record withoutToken = plain("order-1003").set("session_uuid", ENDED_SESSION).build();
    Record declined = plain("order-1004").set("consent_state", advertising(false)).build();
    Record tried = plain("order-1005").set("environment", "development").build();
    Record takenBack = event("refund", "order-1001", now + 1, action("refund", "order-1001")) // the whole order
        .build();
    List<Keyed> keyed = new ArrayList<>();
    for (Record each : List.of(attributed, inTheApp, withoutToken, declined, tried, takenBack)) {
      Record action = (Record) each.get("product_action");
      keyed.add(new Keyed(action.get("transaction_id").toString(), schemas.encode(each)));
    }
    keyed.add(new Keyed("order-1006", schemas.encode(batch("order-1006"))));
    return keyed;
  }

  /** One record with several events of one user. */
  private Record batch(String orderId) {
    Record lookedAt = event("view_detail", orderId, now, action("view_detail", orderId)).build();
    return new GenericRecordBuilder(schemas.batch)
        .set("events", List.of(lookedAt, plain(orderId).build()))
        .set("mpid", SHOPPER)
        .set("user_identities", List.of(identity("customer_id", "customer-6")))
        .build();
  }

  private GenericRecordBuilder plain(String orderId) {
    return event("purchase", orderId, now, action("purchase", orderId)
            .set("total_amount", decimal("10.00"))
            .set("products", List.of(line("PEN-SET", "Set of pens", "10.00", 1).build())))
        .set("currency_code", "USD");
  }

  /** An event; what it does not name gets the schema's default, which is: not known. */
  private GenericRecordBuilder event(String name, String orderId, long occurredAt, GenericRecordBuilder action) {
    return new GenericRecordBuilder(schemas.event)
        .set("occurred_at", occurredAt)
        .set("environment", "production")
        .set("source_message_id", name + "-" + orderId) // the same for every copy of this event, and for no other
        .set("product_action", action.build());
  }

  private GenericRecordBuilder action(String name, String orderId) {
    return new GenericRecordBuilder(schemas.action).set("action", name).set("transaction_id", orderId);
  }

  private GenericRecordBuilder line(String sku, String name, String price, int quantity) {
    return new GenericRecordBuilder(schemas.product)
        .set("id", sku)
        .set("name", name)
        .set("price", decimal(price))
        .set("quantity", decimal(Integer.toString(quantity)));
  }

  private Record identity(String type, String identity) {
    return new GenericRecordBuilder(schemas.identity).set("identity_type", type).set("identity", identity).build();
  }

  private Record advertising(boolean consented) {
    Record answer = new GenericRecordBuilder(schemas.gdpr).set("consented", consented).build();
    return new GenericRecordBuilder(schemas.consent).set("gdpr", Map.of("advertising", answer)).build();
  }

  /** Money in the currency's major unit, with the scale of the schema; never from a double. */
  private static BigDecimal decimal(String text) {
    return new BigDecimal(text).setScale(4);
  }

  private record Keyed(String key, byte[] value) {
    ProducerRecord<byte[], byte[]> to(String topic) {
      return new ProducerRecord<>(topic, key.getBytes(StandardCharsets.UTF_8), value);
    }
  }

  /** The connector's schemas, and Avro's single-object encoding by them. */
  private static final class Schemas {
    final Schema session;
    final Schema event;
    final Schema batch;
    final Schema action;
    final Schema product;
    final Schema identity;
    final Schema device;
    final Schema consent;
    final Schema gdpr;
    private final GenericData data = new GenericData();

    Schemas(Path folder) throws IOException {
      data.addLogicalTypeConversion(new DecimalConversion());
      session = parse(folder, "session_attribution");
      batch = parse(folder, "commerce_event_batch");
      event = parse(folder, "commerce_event");
      action = record(event, "product_action");
      product = action.getField("products").schema().getElementType();
      identity = event.getField("user_identities").schema().getElementType();
      device = record(event, "device");
      consent = record(event, "consent_state");
      gdpr = consent.getField("gdpr").schema().getValueType();
    }

    byte[] encode(Record datum) throws IOException {
      var bytes = new BinaryMessageEncoder<Record>(data, datum.getSchema()).encode(datum);
      return bytes.array();
    }

    private static Schema parse(Path folder, String name) throws IOException {
      return new Schema.Parser().parse(folder.resolve(name + ".avsc").toFile());
    }

    /** The record in a field that may be null. */
    private static Schema record(Schema schema, String field) {
      return schema.getField(field).schema().getTypes().get(1);
    }
  }
}
