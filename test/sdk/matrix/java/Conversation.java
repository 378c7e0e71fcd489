import com.azure.communication.chat.ChatClient;
import com.azure.communication.chat.ChatClientBuilder;
import com.azure.communication.chat.ChatThreadClient;
import com.azure.communication.chat.models.ChatMessage;
import com.azure.communication.chat.models.ChatMessageContent;
import com.azure.communication.chat.models.ChatMessageReadReceipt;
import com.azure.communication.chat.models.ChatMessageType;
import com.azure.communication.chat.models.ChatParticipant;
import com.azure.communication.chat.models.ChatThreadItem;
import com.azure.communication.chat.models.ChatThreadProperties;
import com.azure.communication.chat.models.CreateChatThreadOptions;
import com.azure.communication.chat.models.CreateChatThreadResult;
import com.azure.communication.chat.models.ListChatMessagesOptions;
import com.azure.communication.chat.models.ListChatThreadsOptions;
import com.azure.communication.chat.models.ListParticipantsOptions;
import com.azure.communication.chat.models.SendChatMessageOptions;
import com.azure.communication.chat.models.UpdateChatMessageOptions;
import com.azure.communication.common.CommunicationIdentifier;
import com.azure.communication.common.CommunicationTokenCredential;
import com.azure.communication.common.CommunicationUserIdentifier;
import com.azure.communication.identity.CommunicationIdentityClient;
import com.azure.communication.identity.CommunicationIdentityClientBuilder;
import com.azure.communication.identity.models.CommunicationTokenScope;
import com.azure.communication.identity.models.CommunicationUserIdentifierAndToken;
import com.azure.core.credential.AccessToken;
import com.azure.core.exception.HttpResponseException;
import com.azure.core.http.rest.PagedResponse;
import com.azure.core.util.Context;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.StreamSupport;

/**
 * One conversation, in the vocabulary of the release's API. Each operation ends as one line of JSON on standard
 * output: passed, failed with the reason, or absent from the API.
 */
public final class Conversation {
    private static final String CONNECTION_STRING = System.getenv("CHATD_CONNECTION_STRING");
    private static final String ABSENT = System.getenv("CHATD_ABSENT");
    private static final String ENDPOINT = first("endpoint=([^;]+)", CONNECTION_STRING);
    private static final String NOWHERE = "19:00000000000000000000000000000000@thread.v2";
    private static final List<CommunicationTokenScope> CHAT = List.of(CommunicationTokenScope.CHAT);

    private final CommunicationIdentityClient identity = identity(CONNECTION_STRING);
    private final Set<String> failed = new HashSet<>();
    private final Person ada = new Person("Ada");
    private final Person ben = new Person("Ben");
    private final Person cleo = new Person("Cleo");
    private final Person dan = new Person("Dan");
    private String threadId;
    private String text;
    private final List<String> others = new ArrayList<>(); // the messages after the first, newest first

    public static void main(String[] args) {
        new Conversation().tell();
        System.exit(0); // the threads of the HTTP client would keep the process for a while
    }

    private void tell() {
        operation("create user", () -> {
            for (Person person : List.of(ada, ben, cleo)) {
                person.register();
                String form = "8:acs:[0-9a-f-]{36}_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}";
                check(person.id().matches(form), person.id());
            }
        });

        operation("issue token", () -> {
            for (Person person : List.of(ada, ben, cleo)) {
                checkToken(person.signIn());
            }
        }, "create user");

        operation("create user and token", () -> {
            CommunicationUserIdentifierAndToken created = identity.createUserAndToken(CHAT);
            checkToken(created.getUserToken());
            check(created.getUser().getId().startsWith("8:acs:"), created.getUser().getId());
            equal(0L, chat(created.getUserToken().getToken()).listChatThreads().stream().count());
        });

        operation("create thread", () -> {
            threadId = create("Launch", null).getId();
            check(threadId.matches("19:[A-Za-z0-9_-]+@thread\\.v2"), threadId);
        }, "issue token");

        operation("create thread again", () -> {
            String token = UUID.randomUUID().toString();
            ChatThreadProperties first = create("Once", token);
            ChatThreadProperties again = create("Once", token);
            ChatThreadProperties other = create("Once", UUID.randomUUID().toString());
            equal(first.getId(), again.getId());
            equal(first.getCreatedOn(), again.getCreatedOn());
            check(!first.getId().equals(other.getId()), "another token gave the same thread");
            ada.chat.deleteChatThread(first.getId());
            ada.chat.deleteChatThread(other.getId());
        }, "create thread");

        operation("get thread", () -> {
            ChatThreadProperties properties = ben.thread().getProperties();
            equal(threadId, properties.getId());
            equal("Launch", properties.getTopic());
            equal(ada.id(), idOf(properties.getCreatedBy()));
            checkNow(properties.getCreatedOn());
        }, "create thread");

        operation("list threads", () -> {
            List<ChatThreadItem> threads = ben.chat
                    .listChatThreads(new ListChatThreadsOptions().setMaxPageSize(1), Context.NONE)
                    .stream()
                    .filter(item -> item.getDeletedOn() == null)
                    .toList();
            equal(List.of(threadId), threads.stream().map(ChatThreadItem::getId).toList());
            equal("Launch", threads.get(0).getTopic());
            checkNow(threads.get(0).getLastMessageReceivedOn());
        }, "create thread");

        operation("update topic", () -> {
            ada.thread().updateTopic("Launch on Friday");
            equal("Launch on Friday", ben.thread().getProperties().getTopic());
        }, "get thread");

        operation("thread metadata", Conversation::inNoRelease);

        operation("send message", () -> {
            text = send(new SendChatMessageOptions()
                    .setContent("Hello Ben")
                    .setType(ChatMessageType.TEXT)
                    .setSenderDisplayName("Ada"));
            check(text.matches("\\d{13,}"), text);
        }, "update topic");

        operation("send html", () -> {
            String content = "<p>Hello <b>Ben</b></p>";
            String html = send(new SendChatMessageOptions().setContent(content).setType(ChatMessageType.HTML));
            others.add(0, html);
            ChatMessage message = ben.thread().getMessage(html);
            equal(ChatMessageType.HTML, message.getType());
            equal(content, message.getContent().getMessage());
        }, "create thread");

        operation("message metadata", () -> {
            String sent = Metadata.send(ada.thread(), "Hi", Map.of("tags", "greeting", "lang", "en"));
            others.add(0, sent);
            equal(Map.of("tags", "greeting", "lang", "en"), Metadata.of(ben.thread(), sent));
            Metadata.update(ada.thread(), sent, Map.of("lang", "de"));
            equal(Map.of("tags", "greeting", "lang", "de"), Metadata.of(ben.thread(), sent));
            equal("Hi", ben.thread().getMessage(sent).getContent().getMessage());
        }, "create thread");

        operation("get message", () -> {
            ChatMessage message = ben.thread().getMessage(text);
            equal(text, message.getId());
            equal(text, message.getVersion());
            equal(ChatMessageType.TEXT, message.getType());
            equal("Hello Ben", message.getContent().getMessage());
            equal(ada.id(), idOf(message.getSender()));
            equal("Ada", message.getSenderDisplayName());
            checkNow(message.getCreatedOn());
            equal(null, message.getEditedOn());
            equal(null, message.getDeletedOn());
        }, "send message");

        operation("list messages", () -> {
            List<String> ids = ids(messages(ben));
            equal(ids.stream().sorted(Comparator.reverseOrder()).toList(), ids);
            List<String> expected = new ArrayList<>(others);
            expected.add(text);
            equal(expected, ids.subList(0, ids.size() - 3));
            ListChatMessagesOptions two = new ListChatMessagesOptions().setMaxPageSize(2);
            List<String> paged = new ArrayList<>();
            int pages = 0;
            for (PagedResponse<ChatMessage> page : ben.thread().listMessages(two, Context.NONE).iterableByPage()) {
                check(page.getValue().size() <= 2, "a page of " + page.getValue().size());
                paged.addAll(ids(page.getValue()));
                pages++;
            }
            check(pages > 1, pages + " page");
            equal(ids, paged);
        }, "send message");

        operation("system messages", () -> {
            List<ChatMessage> messages = messages(ben);
            List<List<String>> got = messages.subList(messages.size() - 3, messages.size()).stream()
                    .map(Conversation::systemMessage)
                    .toList();
            equal(List.of(
                    List.of("topicUpdated", ada.id(), "Launch on Friday"),
                    List.of("topicUpdated", ada.id(), "Launch"),
                    List.of("participantAdded", ada.id(), ada.id(), ben.id())), got);
        }, "list messages");

        operation("update message", () -> {
            ada.thread().updateMessage(text, new UpdateChatMessageOptions().setContent("Hello Ben and all"));
            ChatMessage message = ben.thread().getMessage(text);
            equal("Hello Ben and all", message.getContent().getMessage());
            equal("Ada", message.getSenderDisplayName());
            checkNow(message.getEditedOn());
            check(!text.equals(message.getVersion()), "the version stayed");
        }, "get message");

        operation("delete message", () -> {
            String sent = send(new SendChatMessageOptions().setContent("Never mind"));
            ada.thread().deleteMessage(sent);
            ChatMessage message = ben.thread().getMessage(sent);
            checkNow(message.getDeletedOn());
            ChatMessageContent content = message.getContent();
            check(content == null || content.getMessage() == null || content.getMessage().isEmpty(), "it has a text");
        }, "create thread");

        operation("images", Conversation::inNoRelease);

        operation("typing", () -> ben.thread().sendTypingNotification(), "create thread");

        operation("send receipt", () -> ben.thread().sendReadReceipt(text), "send message");

        operation("list receipts", () -> {
            List<ChatMessageReadReceipt> receipts = ada.thread().listReadReceipts().stream().toList();
            equal(1, receipts.size());
            equal(ben.id(), idOf(receipts.get(0).getSender()));
            equal(text, receipts.get(0).getChatMessageId());
            checkNow(receipts.get(0).getReadOn());
        }, "send receipt");

        operation("add participants", () -> {
            checkNone(ada.thread().addParticipants(List.of(cleo.participant())).getInvalidParticipants());
            equal(threadId, cleo.thread().getProperties().getId());
            equal(List.of("participantAdded", ada.id(), cleo.id()), systemMessage(messages(ada).get(0)));
        }, "create thread");

        operation("list participants", () -> {
            List<ChatParticipant> participants = participants(cleo);
            equal(List.of(ada.id(), ben.id(), cleo.id()), idsOf(participants));
            equal("Ben", participants.get(1).getDisplayName());
            equal("Cleo", participants.get(2).getDisplayName());
            check(participants.stream().allMatch(each -> each.getShareHistoryTime() != null), "no share history time");
        }, "add participants");

        operation("remove participant", () -> {
            ada.thread().removeParticipant(cleo.user);
            equal(List.of(ada.id(), ben.id()), idsOf(participants(ada)));
            equal(List.of("participantRemoved", ada.id(), cleo.id()), systemMessage(messages(ada).get(0)));
        }, "add participants");

        operation("unauthorized", () -> {
            refused(401, () -> chat(garbageToken()).listChatThreads().stream().count());
            String key = Base64.getEncoder().encodeToString(new byte[64]);
            refused(401, () -> identity(CONNECTION_STRING.replaceAll("accesskey=.*", "accesskey=" + key)).createUser());
        });

        operation("forbidden", () -> {
            refused(403, () -> cleo.thread().sendMessage(new SendChatMessageOptions().setContent("Let me in")));
            refused(403, () -> participants(cleo));
            dan.register();
            dan.signIn();
            refused(403, () -> dan.thread().getProperties());
            refused(403, () -> messages(dan));
        }, "remove participant");

        operation("not found", () -> {
            refused(404, () -> ada.chat.getChatThreadClient(NOWHERE).getProperties());
            refused(404, () -> ada.thread().getMessage("1600000000000"));
        }, "create thread");

        operation("delete thread", () -> {
            ada.chat.deleteChatThread(threadId);
            refused(404, () -> ada.thread().getProperties());
        }, "create thread");

        operation("revoke tokens", () -> {
            identity.revokeTokens(ben.user);
            refused(401, () -> ben.chat.listChatThreads().stream().count());
            ben.signIn();
            ben.chat.listChatThreads().stream().count();
        }, "issue token");

        operation("delete user", () -> {
            identity.deleteUser(ada.user);
            refused(401, () -> ada.chat.listChatThreads().stream().count());
            refused(401, () -> identity.getToken(ada.user, CHAT));
        }, "issue token");
    }

    private final class Person {
        private final String name;
        private CommunicationUserIdentifier user;
        private ChatClient chat;

        Person(String name) {
            this.name = name;
        }

        void register() {
            user = identity.createUser();
        }

        AccessToken signIn() {
            AccessToken token = identity.getToken(user, CHAT);
            chat = chat(token.getToken());
            return token;
        }

        String id() {
            return user.getId();
        }

        ChatParticipant participant() {
            return new ChatParticipant().setCommunicationIdentifier(user).setDisplayName(name);
        }

        ChatThreadClient thread() {
            return chat.getChatThreadClient(threadId);
        }
    }

    private interface Act {
        void run();
    }

    /** Does one operation and reports it. One that needs the result of a failed one fails with it. */
    private void operation(String name, Act act, String... needs) {
        String missing = null;
        for (String need : needs) {
            if (failed.contains(need)) {
                missing = need;
            }
        }
        if (ABSENT.contains(quote(name))) {
            report(name, "absent", null);
        } else if (missing != null) {
            failed.add(name);
            report(name, "failed", "needs \"" + missing + "\"");
        } else {
            try {
                act.run();
                report(name, "passed", null);
            } catch (RuntimeException | AssertionError | LinkageError error) {
                error.printStackTrace();
                failed.add(name);
                report(name, "failed", error.toString().lines().findFirst().orElse(""));
            }
        }
    }

    private static void report(String name, String result, String reason) {
        System.out.printf("{\"operation\":%s,\"result\":%s,\"reason\":%s}%n",
                quote(name), quote(result), reason == null ? "null" : quote(reason));
    }

    private static String quote(String text) {
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"").replaceAll("\\p{Cntrl}", " ") + '"';
    }

    private static void inNoRelease() {
        throw new UnsupportedOperationException("in no release so far");
    }

    private static CommunicationIdentityClient identity(String connectionString) {
        return new CommunicationIdentityClientBuilder().connectionString(connectionString).buildClient();
    }

    private static ChatClient chat(String token) {
        return new ChatClientBuilder()
                .endpoint(ENDPOINT)
                .credential(new CommunicationTokenCredential(token))
                .buildClient();
    }

    /** Creates a thread of Ada with Ben. */
    private ChatThreadProperties create(String topic, String idempotencyToken) {
        CreateChatThreadOptions options = new CreateChatThreadOptions(topic).addParticipant(ben.participant());
        if (idempotencyToken != null) {
            options.setIdempotencyToken(idempotencyToken);
        }
        CreateChatThreadResult result = ada.chat.createChatThread(options);
        checkNone(result.getInvalidParticipants());
        return result.getChatThread();
    }

    private String send(SendChatMessageOptions options) {
        return ada.thread().sendMessage(options).getId();
    }

    private static List<ChatMessage> messages(Person reader) {
        return reader.thread().listMessages().stream().toList();
    }

    private static List<ChatParticipant> participants(Person reader) {
        ListParticipantsOptions two = new ListParticipantsOptions().setMaxPageSize(2);
        return reader.thread().listParticipants(two, Context.NONE).stream().toList();
    }

    private static List<String> ids(List<ChatMessage> messages) {
        return messages.stream().map(ChatMessage::getId).toList();
    }

    private static String idOf(CommunicationIdentifier identifier) {
        return ((CommunicationUserIdentifier) identifier).getId();
    }

    private static List<String> idsOf(Iterable<ChatParticipant> participants) {
        return StreamSupport.stream(participants.spliterator(), false)
                .map(participant -> idOf(participant.getCommunicationIdentifier()))
                .toList();
    }

    /** A system message in brief: what happened, who did it, and to what or whom. */
    private static List<String> systemMessage(ChatMessage message) {
        ChatMessageContent content = message.getContent();
        List<String> brief = new ArrayList<>();
        brief.add(message.getType().toString());
        brief.add(idOf(content.getInitiator()));
        if (message.getType().equals(ChatMessageType.TOPIC_UPDATED)) {
            brief.add(content.getTopic());
        } else {
            brief.addAll(idsOf(content.getParticipants()));
        }
        return brief;
    }

    /** The call must be refused with the HTTP status. */
    private static void refused(int status, Act call) {
        try {
            call.run();
        } catch (HttpResponseException error) {
            equal(status, error.getResponse().getStatusCode());
            return;
        }
        throw new AssertionError("not refused with " + status);
    }

    private static void checkNone(List<?> invalidParticipants) {
        equal(List.of(), invalidParticipants == null ? List.of() : invalidParticipants);
    }

    private static void checkToken(AccessToken token) {
        equal(3, token.getToken().split("\\.").length);
        Duration validity = Duration.between(OffsetDateTime.now(), token.getExpiresAt());
        check(validity.minusHours(24).abs().compareTo(Duration.ofMinutes(5)) < 0, "valid for " + validity);
    }

    private static void checkNow(OffsetDateTime time) {
        Duration off = Duration.between(time, OffsetDateTime.now()).abs();
        check(off.compareTo(Duration.ofMinutes(1)) < 0, time + " is not now");
    }

    private static void equal(Object want, Object got) {
        check(Objects.equals(want, got), got + " instead of " + want);
    }

    private static void check(boolean holds, String message) {
        if (!holds) {
            throw new AssertionError(message);
        }
    }

    /** A token of the right shape and far expiry that nobody signed. */
    private static String garbageToken() {
        return String.join(".",
                base64("{\"alg\":\"RS256\",\"typ\":\"JWT\"}"),
                base64("{\"skypeid\":\"acs:nobody\",\"exp\":4102444800}"),
                base64("nobody"));
    }

    private static String base64(String text) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }

    private static String first(String pattern, String text) {
        Matcher matcher = Pattern.compile(pattern).matcher(text);
        check(matcher.find(), "nothing matches " + pattern);
        return matcher.group(1);
    }
}
