package chatd.sdk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.azure.communication.chat.ChatClient;
import com.azure.communication.common.CommunicationUserIdentifier;
import com.azure.communication.identity.CommunicationIdentityClient;
import com.azure.communication.identity.models.CommunicationTokenScope;
import com.azure.communication.identity.models.CommunicationUserIdentifierAndToken;
import com.azure.core.credential.AccessToken;
import com.azure.core.exception.HttpResponseException;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.util.Base64;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

@ParameterizedClass
@EnumSource
class IdentityTest extends SdkTest {
    private static final String USER_ID =
            "8:acs:[0-9a-f-]{36}_[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";

    IdentityTest(Transport transport) {
        super(transport);
    }

    @Test
    void createUser() {
        CommunicationUserIdentifier first = identity.createUser();
        CommunicationUserIdentifier second = identity.createUser();
        assertTrue(first.getId().matches(USER_ID), first::getId);
        assertTrue(second.getId().matches(USER_ID), second::getId);
        assertNotEquals(first.getId(), second.getId());
    }

    @Test
    void createUserAndTokenInOneCall() {
        CommunicationUserIdentifierAndToken created = identity.createUserAndToken(CHAT);
        AccessToken token = created.getUserToken();
        String id = created.getUser().getId();
        assertTrue(id.matches(USER_ID), id);
        assertAbout(OffsetDateTime.now().plusHours(24), token.getExpiresAt());
        String skypeid = "\"skypeid\":\"" + id.substring("8:".length()) + "\"";
        assertTrue(payloadOf(token.getToken()).contains(skypeid), () -> payloadOf(token.getToken()));
        assertEquals(List.of(), all(chatFor(token.getToken()).listChatThreads()));
    }

    @Test
    void tokenWithTwoScopesLivesForADay() {
        List<CommunicationTokenScope> scopes = List.of(CommunicationTokenScope.CHAT, CommunicationTokenScope.VOIP);
        AccessToken token = identity.getToken(identity.createUser(), scopes);
        assertAbout(OffsetDateTime.now().plusHours(24), token.getExpiresAt());
        String payload = payloadOf(token.getToken());
        assertTrue(payload.contains("\"exp\":" + token.getExpiresAt().toEpochSecond()), payload);
        assertTrue(payload.matches(".*\"acsScope\":\"(chat,voip|voip,chat)\".*"), payload);
    }

    @Test
    void tokenLivesForTheTimeAskedForNotLessThanAnHour() {
        CommunicationUserIdentifier user = identity.createUser();
        AccessToken token = identity.getToken(user, CHAT, Duration.ofMinutes(60));
        assertAbout(OffsetDateTime.now().plusHours(1), token.getExpiresAt());

        HttpResponseException refusal =
                assertStatus(400, () -> identity.getToken(user, CHAT, Duration.ofMinutes(59)));
        assertCode("ValidationError", refusal);
        assertStatus(400, () -> identity.createUserAndToken(CHAT, Duration.ofMinutes(1441)));
    }

    @Test
    void revokingEndsTheTokensIssuedSoFarNotTheNextOne() {
        Person ada = person("Ada");
        assertEquals(List.of(), all(ada.chat().listChatThreads()));

        identity.revokeTokens(ada.user());

        ChatClient renewed = chatFor(identity.getToken(ada.user(), CHAT).getToken());
        assertStatus(401, () -> all(ada.chat().listChatThreads()));
        assertEquals(List.of(), all(renewed.listChatThreads()));
    }

    @Test
    void deletingAUserEndsTokensAndIdentity() {
        Person ada = person("Ada");
        identity.deleteUser(ada.user());
        assertStatus(401, () -> all(ada.chat().listChatThreads()));
        assertStatus(401, () -> identity.getToken(ada.user(), CHAT));
    }

    @Test
    void noTokenForAUserOfAnotherResource() {
        HttpResponseException refusal = assertStatus(401, () -> identity.getToken(foreignUser(), CHAT));
        assertCode("IdentityNotOwned", refusal);
    }

    @Test
    void wrongAccessKeyIsRefused() {
        String key = Base64.getEncoder().encodeToString(new byte[64]);
        CommunicationIdentityClient client = identityClient("endpoint=" + endpoint() + ";accesskey=" + key);
        assertStatus(401, client::createUser);
    }

    /** The blocking client keeps the parsed error in a type that it does not export, and the body in the message. */
    private static void assertCode(String code, HttpResponseException refusal) {
        assertNotNull(refusal.getValue(), "the error is parsed");
        assertTrue(refusal.getMessage().contains("\"code\":\"" + code + "\""), refusal::getMessage);
    }
}
