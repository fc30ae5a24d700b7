//! Unsubscribing by the link in a mail.

use super::*;

#[tokio::test]
async fn a_reader_unsubscribes_by_their_own_link_from_anywhere_and_takes_it_back() {
    let (client, context, _folder) = server();
    let connection = context.store.connection().unwrap();
    let token = mail_reader::token(&connection, "ceo@x.example").unwrap();
    let is_unsubscribed = || mail_reader::is_unsubscribed(&connection, "ceo@x.example").unwrap();
    let path = format!("/unsubscribe/{token}");
    // Whoever looks through mails opens every link in them.
    for method in [Method::GET, Method::HEAD] {
        let asked = client.request(method, &path).send().await;
        assert_eq!(asked.status(), StatusCode::OK);
        assert!(!is_unsubscribed());
    }
    let page = text(client.get(&path).send().await).await;
    assert!(
        page.contains(&format!(r#"<form method="post" action="{path}">"#)),
        "{page}"
    );
    assert!(
        !page.contains("ceo@") && !page.contains("/outbox"),
        "nothing of the address, nor of the other pages: {page}"
    );
    // As a mail provider does it (RFC 8058).
    let one_click = client
        .request(Method::POST, &path)
        .header("origin", "https://mail.example")
        .header("content-type", "application/x-www-form-urlencoded")
        .body("List-Unsubscribe=One-Click");
    let done = client.server.get_response(one_click).await;
    assert_eq!(done.status(), StatusCode::OK);
    assert!(is_unsubscribed());
    let page = text(done).await;
    let undo = format!("/resubscribe/{token}");
    assert!(page.contains("You are unsubscribed") && page.contains(&undo), "{page}");
    let seen = text(client.get(&path).send().await).await;
    assert!(seen.contains("You are unsubscribed"), "{seen}");
    let undone = client
        .request(Method::POST, &undo)
        .header("origin", "null")
        .send()
        .await;
    assert!(text(undone).await.contains("You get notices again"));
    assert!(!is_unsubscribed());
}

#[tokio::test]
async fn an_unsubscribe_link_that_is_not_known_changes_nothing_and_says_what_to_do() {
    let (client, context, _folder) = server();
    let connection = context.store.connection().unwrap();
    mail_reader::token(&connection, "ceo@x.example").unwrap();
    for (method, path) in [
        (Method::GET, "/unsubscribe/00000000000000000000000000000000"),
        (Method::POST, "/unsubscribe/00000000000000000000000000000000"),
        (Method::POST, "/unsubscribe/ceo@x.example"),
        (Method::POST, "/resubscribe/%27"),
    ] {
        let answer = client.request(method, path).send().await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        assert!(text(answer).await.contains("This link is not known"), "{path}");
    }
    assert!(mail_reader::unsubscribed(&connection).unwrap().is_empty());
    let elsewhere = client.get("/resubscribe/00000000000000000000000000000000").send().await;
    assert_eq!(elsewhere.status(), StatusCode::METHOD_NOT_ALLOWED);
}
