// java -cp 'jars/*' Totals.java localhost:9092 totals.json [2026-05-01]
// jars: kafka-clients and jackson-databind. No wheel: headers and members are as the schemas at /events say.
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

public class Totals {
    static final ObjectMapper JSON = new ObjectMapper();
    static final Map<String, Long> totals = new TreeMap<>();
    static final Map<String, Long> positions = new HashMap<>();

    public static void main(String[] args) throws Exception {
        String since = args.length > 2 ? args[2] : "";
        var bytes = new ByteArrayDeserializer();
        try (var consumer = new KafkaConsumer<>(Map.of("bootstrap.servers", args[0]), bytes, bytes)) {
            var all = List.of("billing.plans.v1", "billing.renewals.v1").stream()
                .flatMap(topic -> consumer.partitionsFor(topic).stream())
                .map(each -> new TopicPartition(each.topic(), each.partition())).toList();
            consumer.assign(all);
            consumer.seekToBeginning(all);
            while (true) {
                for (var record : consumer.poll(Duration.ofSeconds(1))) take(record, since);
                Path draft = Path.of(args[1] + ".draft");
                Files.write(draft, JSON.writeValueAsBytes(Map.of("totals", totals)));
                Files.move(draft, Path.of(args[1]), StandardCopyOption.ATOMIC_MOVE);
            }
        }
    }

    static void take(ConsumerRecord<byte[], byte[]> record, String since) throws Exception {
        String place = record.topic() + "/" + record.partition();
        long position = Long.parseLong(header(record, "ce_position"));
        if (position <= positions.getOrDefault(place, 0L)) return; // delivered again
        positions.put(place, position);
        String at = header(record, "ce_time");
        if (at.compareTo(since) < 0) return; // instants are in UTC, all of one length
        JsonNode event = JSON.readTree(record.value());
        String month = at.substring(0, 7) + " ";
        switch (header(record, "ce_type")) {
            case "plans.PlanStarted" -> count(month, event.get("line"), 1);
            case "plans.PlanEdited" -> {
                count(month, event.get("before"), -1);
                count(month, event.get("after"), 1);
            }
            case "renewals.InvoiceIssued" -> {
                JsonNode invoice = event.get("invoice");
                String account = header(record, "ce_partitionkey") + " " + invoice.get("currency").asText();
                totals.merge(month + account, invoice.get("total_minor").asLong(), Long::sum);
            }
            default -> { } // an event we do not need, or do not know yet
        }
    }

    static void count(String month, JsonNode line, int sign) {
        totals.merge(month + line.get("sku").asText(), sign * line.get("quantity").asLong(), Long::sum);
    }

    static String header(ConsumerRecord<byte[], byte[]> record, String name) {
        return new String(record.headers().lastHeader(name).value());
    }
}
