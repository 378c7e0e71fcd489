package chatd.sdk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.azure.communication.chat.ChatClient;
import com.azure.communication.chat.ChatClientBuilder;
import com.azure.communication.chat.models.ChatParticipant;
import com.azure.communication.chat.models.CreateChatThreadOptions;
import com.azure.communication.chat.models.SendChatMessageOptions;
import com.azure.communication.common.CommunicationIdentifier;
import com.azure.communication.common.CommunicationTokenCredential;
import com.azure.communication.common.CommunicationUserIdentifier;
import com.azure.communication.identity.CommunicationIdentityClient;
import com.azure.communication.identity.CommunicationIdentityClientBuilder;
import com.azure.communication.identity.models.CommunicationTokenScope;
import com.azure.communication.identity.models.CommunicationUserIdentifierAndToken;
import com.azure.core.exception.HttpResponseException;
import com.azure.core.http.rest.PagedIterable;
import com.azure.core.http.rest.PagedResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.function.Executable;

/** What the tests share: clients over one transport, people and threads, and small readers of answers. */
abstract class SdkTest {
    static final String CONNECTION_STRING = System.getenv("CHATD_CONNECTION_STRING");
    static final String UNKNOWN_MESSAGE = "1600000000000";
    static final OffsetDateTime EPOCH = OffsetDateTime.ofInstant(Instant.EPOCH, ZoneOffset.UTC);
    static final List<CommunicationTokenScope> CHAT = List.of(CommunicationTokenScope.CHAT);

    final CommunicationIdentityClient identity;
    private final Transport transport;

    SdkTest(Transport transport) {
        assertNotNull(CONNECTION_STRING, "CHATD_CONNECTION_STRING must be set");
        this.transport = transport;
        this.identity = identityClient(CONNECTION_STRING);
    }

    final CommunicationIdentityClient identityClient(String connectionString) {
        return new CommunicationIdentityClientBuilder()
                .connectionString(connectionString)
                .httpClient(transport.client)
                .buildClient();
    }

    /** A chat client that presents the token. */
    final ChatClient chatFor(String token) {
        return new ChatClientBuilder()
                .endpoint(endpoint())
                .credential(new CommunicationTokenCredential(token))
                .httpClient(transport.client)
                .buildClient();
    }

    static String endpoint() {
        Matcher endpoint = Pattern.compile("endpoint=([^;]+)").matcher(CONNECTION_STRING);
        assertTrue(endpoint.find(), "the connection string names an endpoint");
        return endpoint.group(1);
    }

    /** A new user with a token for chat. */
    final Person person(String name) {
        CommunicationUserIdentifierAndToken created = identity.createUserAndToken(CHAT);
        return new Person(name, created.getUser(), chatFor(created.getUserToken().getToken()));
    }

    /** Creates a thread and returns its id. */
    static String thread(String topic, Person owner, Person... guests) {
        CreateChatThreadOptions options = new CreateChatThreadOptions(topic);
        for (Person guest : guests) {
            options.addParticipant(guest.participant());
        }
        return owner.chat().createChatThread(options).getChatThread().getId();
    }

    /** Sends a text and returns the message's id. */
    static String send(Person sender, String threadId, String content) {
        return sender.in(threadId).sendMessage(new SendChatMessageOptions().setContent(content)).getId();
    }

    /** A well-formed user of a resource that is not this server's. */
    static CommunicationUserIdentifier foreignUser() {
        return new CommunicationUserIdentifier(
                "8:acs:" + UUID.randomUUID() + "_00000009-1234-1234-1234-123456789abc");
    }

    /** A token of the right shape and far expiry that nobody signed. */
    static String garbageToken() {
        return String.join(
                ".",
                base64("{\"alg\":\"RS256\",\"typ\":\"JWT\"}"),
                base64("{\"skypeid\":\"acs:nobody\",\"exp\":4102444800}"),
                base64("not a signature"));
    }

    private static String base64(String text) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }

    static String payloadOf(String token) {
        return new String(Base64.getUrlDecoder().decode(token.split("\\.")[1]), StandardCharsets.UTF_8);
    }

    static String idOf(CommunicationIdentifier identifier) {
        return assertInstanceOf(CommunicationUserIdentifier.class, identifier).getId();
    }

    static List<String> idsOf(Iterable<ChatParticipant> participants) {
        return StreamSupport.stream(participants.spliterator(), false)
                .map(participant -> idOf(participant.getCommunicationIdentifier()))
                .toList();
    }

    static <T> List<T> all(PagedIterable<T> items) {
        return items.stream().toList();
    }

    static <T> List<List<T>> pages(PagedIterable<T> items) {
        List<List<T>> pages = new ArrayList<>();
        for (PagedResponse<T> page : items.iterableByPage()) {
            pages.add(page.getValue());
        }
        return pages;
    }

    static List<Integer> sizes(List<? extends List<?>> pages) {
        return pages.stream().map(List::size).toList();
    }

    /** The millisecond after a message: "now" without a race of two clocks. */
    static OffsetDateTime justAfter(String messageId) {
        return EPOCH.plus(Duration.ofMillis(Long.parseLong(messageId) + 1));
    }

    /** The time of a message by its id, in the whole seconds that the service tells. */
    static OffsetDateTime secondsOf(String messageId) {
        return EPOCH.plusSeconds(Long.parseLong(messageId) / 1000);
    }

    static HttpResponseException assertStatus(int status, Executable call) {
        HttpResponseException refusal = assertThrows(HttpResponseException.class, call);
        assertEquals(status, refusal.getResponse().getStatusCode(), refusal::getMessage);
        return refusal;
    }

    static void assertAbout(OffsetDateTime expected, OffsetDateTime actual) {
        assertNotNull(actual);
        Duration off = Duration.between(expected, actual).abs();
        assertTrue(off.compareTo(Duration.ofMinutes(1)) < 0, () -> actual + " is " + off + " away from " + expected);
    }
}
